import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { readAlert, readInvestigation, readMachine, readPage } from './defender-records.ts';

const time = '2020-03-17T10:43:15Z';
const investigation = {
  id: '9',
  startTime: time,
  endTime: '2020-03-17T11:00:00Z',
  state: 'Benign',
  cancelledBy: null,
  statusDetails: null,
  machineId: 'f70f9fe6b29cd9511652434919c6530618f06606',
  computerDnsName: 'desktop',
  triggeringAlertId: 'da637200385941308230_1832866941',
};
const alert = {
  id: 'ar638180599315648136_73827727',
  alertCreationTime: '2023-04-25T22:52:11.5648315Z',
  title: 'Automated investigation started manually',
  machineId: investigation.machineId,
  investigationId: 6,
  description: 'a person initiated an Automated investigation',
  detectionSource: 'AutomatedInvestigation',
  evidence: [],
};

describe('the record of a machine', () => {
  it('is read by its id, also one that looks like a number, and by no other text in its place', () => {
    for (const id of [investigation.machineId, `${'0'.repeat(38)}e1`, '1'.repeat(40), 'A'.repeat(32)]) {
      const row = readMachine({
        id,
        healthStatus: 'Active',
        onboardingStatus: 'Onboarded',
        aadDeviceId: null,
      });
      const shown = {
        computerDnsName: undefined,
        aadDeviceId: undefined,
        lastSeenMs: undefined,
        isMerged: false,
        healthStatus: 'Active',
        onboardingStatus: 'Onboarded',
      };
      assert.deepEqual(row, { kind: 'record', record: { id: id.toLowerCase(), ...shown } });
    }
    for (const id of [undefined, null, 7, '', 'desktop-1', 'f'.repeat(41)])
      assert.equal(readMachine({ id }).kind, 'odd');
  });
});

/** What has been seen, or could be, where something else belongs. */
const oddValues: readonly unknown[] = [
  null,
  undefined,
  '',
  ' ',
  0,
  -1,
  7,
  1.5,
  2 ** 53,
  1e308,
  true,
  false,
  [],
  ['x'],
  {},
  { value: 'x' },
  'null',
  'x'.repeat(5_000),
  'caf\uFFFD',
  '\uD83D',
  '\u0000',
  'line\nend',
  '0001-01-01T00:00:00',
  '9999-12-31T23:59:59.9999999Z',
  '2020-02-30T25:61:61Z',
  '/Date(1584441795000)/',
  '17.03.2020 10:43',
];

const isAlert = (row: unknown) => readAlert(row).kind === 'record';
const isInvestigation = (row: unknown) => readInvestigation(row).kind === 'record';

describe('a row of a list', () => {
  for (const field of Object.keys(investigation).filter((name) => name !== 'id')) {
    it(`is an investigation whatever stands in ${field}`, () => {
      for (const value of oddValues) assert.ok(isInvestigation({ ...investigation, [field]: value }));
    });
  }

  for (const field of Object.keys(alert).filter((name) => !['id', 'alertCreationTime'].includes(name))) {
    it(`is an alert whatever stands in ${field}`, () => {
      for (const value of oddValues) assert.ok(isAlert({ ...alert, [field]: value }));
    });
  }

  it('needs an id, as text or a number, in which no byte was lost', () => {
    const usable = ['9', 9, ' 9 ', 'da1_2', 'x'.repeat(200)];
    const unusable = oddValues.filter((value) => value !== 7 && !/^[\w.:/()-]+$/.test(String(value)));
    for (const read of [
      (id: unknown) => isAlert({ ...alert, id }),
      (id: unknown) => isInvestigation({ ...investigation, id }),
    ]) {
      assert.deepEqual(usable.filter(read), usable);
      assert.deepEqual(unusable.filter(read), []);
      for (const id of [null, undefined, '', 0, -1, '0', 1.5, 2 ** 53, [], {}, 'null', 'caf\uFFFD', 'a b'])
        assert.equal(read(id), false, JSON.stringify(id));
    }
  });

  it('is an alert only with a time, since nothing else says which call it belongs to', () => {
    const readable = new Set<unknown>(['9999-12-31T23:59:59.9999999Z']);
    for (const alertCreationTime of oddValues) {
      assert.equal(isAlert({ ...alert, alertCreationTime }), readable.has(alertCreationTime));
    }
  });

  it('shows its readable members when the row cannot be read', () => {
    const atMs = Date.parse(time);
    const { machineId, title } = alert;
    const odd = { ...investigation, id: null };
    assert.deepEqual(readInvestigation(odd), { kind: 'odd', odd: { atMs, title: undefined, machineId } });
    const timeless = { ...alert, alertCreationTime: 7 };
    assert.deepEqual(readAlert(timeless), { kind: 'odd', odd: { atMs: undefined, title, machineId } });
  });

  it('has no start, end, alert or investigation where what stands there is none', () => {
    const odd = { ...investigation, startTime: 'x', endTime: '', triggeringAlertId: 0, state: null };
    const row = readInvestigation(odd);
    assert.ok(row.kind === 'record');
    const { startTimeMs, endTimeMs, triggeringAlertId, state } = row.record;
    assert.deepEqual(
      [startTimeMs, endTimeMs, triggeringAlertId, state],
      [undefined, undefined, undefined, 'Unknown'],
    );
    for (const investigationId of [0, -1, '', null, {}, 2 ** 53]) {
      const read = readAlert({ ...alert, investigationId });
      assert.ok(read.kind === 'record');
      assert.equal(read.record.investigationId, undefined);
    }
  });

  it('is read whatever it is, without an error', () => {
    const any = fc.oneof(fc.anything(), fc.record({ id: fc.anything(), startTime: fc.anything() }));
    fc.assert(
      fc.property(any, fc.constantFrom(...Object.keys(investigation)), fc.anything(), (row, field, value) => {
        readInvestigation(row);
        readAlert(row);
        const read = readInvestigation({ ...investigation, [field]: value });
        assert.ok(field === 'id' || read.kind === 'record');
      }),
    );
  });
});

describe('a time of Defender', () => {
  const read = (startTime: unknown) => {
    const row = readInvestigation({ ...investigation, startTime });
    return row.kind === 'record' ? row.record.startTimeMs : assert.fail();
  };
  const zones = ['America/New_York', 'Asia/Kolkata', 'UTC'];
  const given = process.env['TZ'];
  afterEach(() => {
    if (given === undefined) delete process.env['TZ'];
    else process.env['TZ'] = given;
  });

  it('is in UTC unless it says otherwise, wherever this runs', () => {
    for (const zone of zones) {
      process.env['TZ'] = zone;
      for (const [written, meant] of [
        [time, time],
        ['2020-03-17T10:43:15', time],
        ['2020-03-17 10:43:15', time],
        ['2020-03-17t10:43:15z', time],
        [' 2020-03-17T10:43:15Z ', time],
        ['2020-03-17T10:43:15.0000000', time],
        ['2020-03-17T10:43:15.5648315Z', '2020-03-17T10:43:15.564Z'],
        ['2020-03-17T12:43:15+02:00', time],
        ['2020-03-17T12:43:15+0200', time],
        ['2020-03-17T05:43:15-05', time],
        ['2020-03-17T05:43:15 -05:00', time],
      ] as const) {
        assert.equal(read(written), Date.parse(meant), `${zone} ${written}`);
      }
    }
  });

  it('is none when it could be a later moment, or was never set', () => {
    for (const odd of [
      '2020-03-17',
      '2020-03-17T10:43Z',
      '0001-01-01T00:00:00Z',
      '3/17/2020 10:43:15 AM',
      1584441795,
    ])
      assert.equal(read(odd), undefined, String(odd));
  });

  it('is the same in every notation', () => {
    const from = new Date(Date.UTC(2000, 0));
    const to = new Date(Date.UTC(2200, 0));
    fc.assert(
      fc.property(fc.date({ min: from, max: to, noInvalidDate: true }), (date) => {
        assert.equal(read(date.toISOString()), date.getTime());
        assert.equal(read(date.toISOString().replace('Z', '')), date.getTime());
      }),
    );
  });
});

describe('a page of a list', () => {
  it('is the last one when it has no link', () => {
    for (const nextLink of [null, undefined, '', ' ']) {
      assert.deepEqual(readPage({ value: [], '@odata.nextLink': nextLink }), {
        rows: [],
        nextLink: undefined,
      });
    }
  });

  it('is none when it has no rows, or a link that cannot be followed', () => {
    for (const body of [null, [], {}, 'x', { value: {} }, { value: [], '@odata.nextLink': 7 }, undefined])
      assert.equal(readPage(body), undefined);
  });
});
