import assert from 'node:assert/strict';
import { z } from 'zod';
import * as fc from 'fast-check';
import { maxCommentLength } from './comment.ts';
import { itemDefaults, itemRulesOf, parseItem } from './investigation-item.ts';
import { priorities } from './priority.ts';
import { initiateInvestigation } from './operations/initiate-investigation.ts';
import { runAntiVirusScan } from './operations/run-antivirus-scan.ts';

const rules = itemRulesOf(initiateInvestigation);

const nowMs = Date.parse('2026-11-24T12:00:00Z');
const machineId = '1e5bc9d7e413ddd7902c2932e418702b84d0cc07';
const smallest = { machineId, comment: 'beacon seen' };

describe('parseItem', () => {
  it('takes the smallest item and fills in the medium priority', () => {
    assert.deepEqual(parseItem(smallest, nowMs, rules), {
      ok: true,
      item: { ...smallest, priority: 'medium' },
    });
  });

  it('takes an item that uses every field to its limit', () => {
    const largest = {
      machineId,
      comment: 'x'.repeat(maxCommentLength),
      priority: 'critical',
      notAfter: '2026-11-30T08:00:00.000Z',
      source: 's'.repeat(128),
      correlation: Object.fromEntries(
        Array.from({ length: 20 }, (_, i) => [`${i}`.padStart(64, 'k'), 'v'.repeat(256)]),
      ),
    };
    assert.deepEqual(parseItem(largest, nowMs, rules), { ok: true, item: largest });
  });

  for (const [given, kept] of [
    [machineId.toUpperCase(), machineId],
    ['0123456789ABCDEFabcdef0123456789', '0123456789abcdefabcdef0123456789'],
  ] as const) {
    it(`keeps the machine id ${given} in lower case`, () => {
      const parsed = parseItem({ ...smallest, machineId: given }, nowMs, rules);
      assert.equal(parsed.ok && parsed.item.machineId, kept);
    });
  }

  for (const [given, kept] of [
    ['2026-11-24T12:00:00.001Z', '2026-11-24T12:00:00.001Z'],
    ['2026-11-30T09:00:00+01:00', '2026-11-30T08:00:00.000Z'],
    ['2026-11-30T08:00:00Z', '2026-11-30T08:00:00.000Z'],
  ] as const) {
    it(`keeps the deadline ${given} as UTC`, () => {
      const parsed = parseItem({ ...smallest, notAfter: given }, nowMs, rules);
      assert.equal(parsed.ok && parsed.item.notAfter, kept);
    });
  }

  const noObject = 'Invalid input: expected object, received';
  const noMachineId =
    'must be a Defender machine id: 32 or 40 hexadecimal characters (a host name or an IP address is not one)';
  const noTime = 'must be an ISO 8601 time with a zone, such as 2026-11-30T08:00:00Z';
  const past = 'must lie in the future';
  const noPriority = `must be one of ${priorities.join(', ')}`;
  const own = (fields: object) => ({ ...smallest, ...fields });
  const refusals: [what: string, input: unknown, path: string, message: string][] = [
    ['a text', 'machine', '', `${noObject} string`],
    ['a number', 5, '', `${noObject} number`],
    ['null', null, '', `${noObject} null`],
    ['an array', [smallest], '', `${noObject} array`],
    ['no machine id', { comment: 'x' }, 'machineId', 'is required'],
    ['a numeric machine id', own({ machineId: 5 }), 'machineId', 'must be a string'],
    ['a machine id of 39 digits', own({ machineId: machineId.slice(1) }), 'machineId', noMachineId],
    ['a machine id of 41 digits', own({ machineId: `${machineId}0` }), 'machineId', noMachineId],
    ['a machine id of 31 digits', own({ machineId: machineId.slice(9) }), 'machineId', noMachineId],
    ['a machine id of 33 digits', own({ machineId: machineId.slice(7) }), 'machineId', noMachineId],
    ['a machine id that is not hex', own({ machineId: `g${machineId.slice(1)}` }), 'machineId', noMachineId],
    ['a machine id with a line end', own({ machineId: `${machineId}\n` }), 'machineId', noMachineId],
    ['a host name', own({ machineId: 'ws-0042.corp.example' }), 'machineId', noMachineId],
    ['an IP address', own({ machineId: '10.0.0.1' }), 'machineId', noMachineId],
    ['no comment', { machineId }, 'comment', 'is required'],
    ['a null comment', own({ comment: null }), 'comment', 'must be a string'],
    ['an empty comment', own({ comment: '' }), 'comment', 'must not be empty'],
    ['a comment of white space', own({ comment: ' \t\n\u00a0' }), 'comment', 'must not be empty'],
    [
      'a comment of 4,001 characters',
      own({ comment: 'x'.repeat(4_001) }),
      'comment',
      'must have at most 4000 characters',
    ],
    ['an unknown priority', own({ priority: 'urgent' }), 'priority', noPriority],
    ['a priority in capitals', own({ priority: 'High' }), 'priority', noPriority],
    ['a numeric priority', own({ priority: 1 }), 'priority', noPriority],
    ['a deadline without a zone', own({ notAfter: '2026-11-30T08:00:00' }), 'notAfter', noTime],
    ['a deadline that is a day', own({ notAfter: '2026-11-30' }), 'notAfter', noTime],
    ['a deadline on a day that is none', own({ notAfter: '2026-02-30T08:00:00Z' }), 'notAfter', noTime],
    ['a deadline in seconds', own({ notAfter: 1_795_000_000 }), 'notAfter', noTime],
    ['a deadline that is over', own({ notAfter: '2026-11-24T11:59:59Z' }), 'notAfter', past],
    ['a deadline that is now', own({ notAfter: '2026-11-24T12:00:00Z' }), 'notAfter', past],
    ['a deadline over in UTC', own({ notAfter: '2026-11-24T12:59:59+01:00' }), 'notAfter', past],
    [
      'a deadline that is in the year 10000 in UTC',
      own({ notAfter: '9999-12-31T23:59:59-01:00' }),
      'notAfter',
      'must lie between the years 0 and 9999',
    ],
    ['an empty source', own({ source: '' }), 'source', 'must not be empty'],
    [
      'a source of 129 characters',
      own({ source: 's'.repeat(129) }),
      'source',
      'must have at most 128 characters',
    ],
    ['a source that is no text', own({ source: ['soar'] }), 'source', 'must be a string'],
    [
      'a correlation that is a text',
      own({ correlation: 'INC-1' }),
      'correlation',
      'must be an object of strings',
    ],
    [
      'a correlation that is an array',
      own({ correlation: ['INC-1'] }),
      'correlation',
      'must be an object of strings',
    ],
    [
      'a correlation of 21 entries',
      own({ correlation: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, 'v'])) }),
      'correlation',
      'must have at most 20 entries',
    ],
    [
      'a correlation of more entries than any of which is looked at',
      own({ correlation: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, i])) }),
      'correlation',
      'must have at most 20 entries',
    ],
    [
      'a correlation value of 257 characters',
      own({ correlation: { incident: 'v'.repeat(257) } }),
      'correlation.incident',
      'must have at most 256 characters',
    ],
    [
      'a correlation value that is no text',
      own({ correlation: { incident: 7 } }),
      'correlation.incident',
      'must be a string',
    ],
    [
      'a correlation name of 65 characters',
      own({ correlation: { ['k'.repeat(65)]: 'v' } }),
      `correlation.${'k'.repeat(65)}`,
      'must have a name of at most 64 characters',
    ],
    ['a correlation without a name', own({ correlation: { '': 'v' } }), 'correlation.', 'must have a name'],
    [
      'a correlation named __proto__',
      own({ correlation: JSON.parse('{"__proto__":"INC-1"}') }),
      'correlation.__proto__',
      'is no name that can be kept',
    ],
    ['a misspelt field', own({ notafter: '2026-11-30T08:00:00Z' }), 'notafter', 'is not a known field'],
    [
      'a field named __proto__',
      JSON.parse(`{"machineId":"${machineId}","comment":"x","__proto__":{"priority":"low"}}`),
      '__proto__',
      'is not a known field',
    ],
  ];
  for (const [what, input, path, message] of refusals) {
    it(`refuses ${what}, naming the field and the reason`, () => {
      assert.deepEqual(parseItem(input, nowMs, rules), {
        ok: false,
        faults: [{ path, message }],
        faultCount: 1,
      });
    });
  }

  it('takes texts that were cut in the middle of a character, and no half of it', () => {
    const half = 'cut \ud83d';
    const given = { machineId: 'a'.repeat(40), comment: half, source: half, correlation: { [half]: half } };
    const parsed = parseItem(given, 0, rules);
    const whole = 'cut \ufffd';
    assert.ok(parsed.ok);
    const { comment, source, correlation } = parsed.item;
    assert.deepEqual([comment, source, correlation], [whole, whole, { [whole]: whole }]);
    const emoji = parseItem({ ...given, comment: 'whole \u{1f600}' }, 0, rules);
    assert.ok(emoji.ok && emoji.item.comment === 'whole \u{1f600}');
  });

  it('names all faults of an item at once', () => {
    assert.deepEqual(parseItem({ machineId: 'ws-0042', comment: '', colour: 'red' }, nowMs, rules), {
      ok: false,
      faults: [
        { path: 'machineId', message: noMachineId },
        { path: 'comment', message: 'must not be empty' },
        { path: 'colour', message: 'is not a known field' },
      ],
      faultCount: 3,
    });
  });

  it('never throws, whatever JSON it is given', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.option(fc.constant({ comment: 'd' }), { nil: undefined }),
        (input, defaults) => {
          assert.equal(parseItem(input, nowMs, rules, defaults).ok, false);
        },
      ),
    );
  });

  describe('with defaults of a batch', () => {
    const defaults = itemDefaults.parse({
      comment: 'from the batch',
      priority: 'low',
      notAfter: '2026-11-30T09:00:00+01:00',
      source: 'soar',
      correlation: { incident: 'INC-1' },
    });

    it('takes over every field that the item leaves out', () => {
      assert.deepEqual(parseItem({ machineId }, nowMs, rules, defaults), {
        ok: true,
        item: { machineId, ...defaults, notAfter: '2026-11-30T08:00:00.000Z' },
      });
    });

    it("keeps the item's own fields, whole", () => {
      const item = {
        ...smallest,
        priority: 'high',
        notAfter: '2026-12-01T00:00:00.000Z',
        source: 'analyst',
        correlation: { case: '7' },
      };
      assert.deepEqual(parseItem(item, nowMs, rules, defaults), { ok: true, item });
    });

    it("does not cover an item's own bad field", () => {
      assert.deepEqual(parseItem({ machineId, comment: null }, nowMs, rules, defaults), {
        ok: false,
        faults: [{ path: 'comment', message: 'must be a string' }],
        faultCount: 1,
      });
    });

    it('does not make an item of what is no object', () => {
      assert.equal(parseItem([], nowMs, rules, defaults).ok, false);
      assert.equal(parseItem('x', nowMs, rules, defaults).ok, false);
    });

    it('refuses an item whose deadline from the batch is over', () => {
      assert.deepEqual(parseItem({ machineId }, Date.parse('2026-12-01T00:00:00Z'), rules, defaults), {
        ok: false,
        faults: [{ path: 'notAfter', message: past }],
        faultCount: 1,
      });
    });
  });
});

describe('the parameters of an operation', () => {
  const depth = z.enum(['quick', 'full'], { error: 'must be one of quick, full' });
  const ofDepth = itemRulesOf({ parameters: z.strictObject({ depth, note: z.string().optional() }) });
  const smallest = { machineId, comment: 'c' };
  const faultsOf = (parameters: unknown, of = ofDepth) => {
    const parsed = parseItem({ ...smallest, parameters }, nowMs, of);
    return parsed.ok ? [] : parsed.faults;
  };

  it('are part of the item as they were given, and left out where there are none', () => {
    const parameters = { depth: 'full' };
    const item = { ...smallest, priority: 'medium', parameters };
    assert.deepEqual(parseItem({ ...smallest, parameters }, nowMs, ofDepth), { ok: true, item });
    const { parameters: _, ...without } = item;
    assert.deepEqual(parseItem({ ...smallest, parameters: {} }, nowMs, rules), { ok: true, item: without });
  });

  it('are refused by the field at fault: a wrong value, an unknown name, one that is missing', () => {
    assert.deepEqual(faultsOf({ depth: 'deep' }), [
      { path: 'parameters.depth', message: 'must be one of quick, full' },
    ]);
    assert.deepEqual(faultsOf({ depth: 'full', force: true }), [
      { path: 'parameters.force', message: 'is not a known field' },
    ]);
    const proto = JSON.parse('{"depth":"full","__proto__":{}}') as unknown;
    assert.deepEqual(faultsOf(proto), [{ path: 'parameters.__proto__', message: 'is not a known field' }]);
    for (const missing of [undefined, {}]) {
      assert.deepEqual(
        faultsOf(missing).map(({ path }) => path),
        ['parameters.depth'],
      );
    }
    assert.deepEqual(
      faultsOf({ depth: 'full' }, rules).map(({ path }) => path),
      ['parameters.depth'],
    );
    for (const odd of [5, 'full', ['full'], null]) {
      assert.deepEqual(
        faultsOf(odd).map(({ path }) => path),
        ['parameters'],
        JSON.stringify(odd),
      );
    }
  });

  it('are checked by rules that all queues of the operation share', () => {
    assert.equal(itemRulesOf(initiateInvestigation), rules);
    assert.notEqual(itemRulesOf(runAntiVirusScan), rules);
  });

  it('can be shared by the items of a batch, and are checked there by the same rules', () => {
    const batch = { requests: [smallest], defaults: { parameters: { depth: 'quick' } } };
    const { defaults } = ofDepth.batch.parse(batch);
    const shared = parseItem(smallest, nowMs, ofDepth, defaults);
    assert.deepEqual(shared.ok && shared.item.parameters, { depth: 'quick' });
    const own = parseItem({ ...smallest, parameters: { depth: 'full' } }, nowMs, ofDepth, defaults);
    assert.deepEqual(own.ok && own.item.parameters, { depth: 'full' });
    const faulty = ofDepth.batch.safeParse({ ...batch, defaults: { parameters: { depth: 1 } } });
    assert.deepEqual(
      faulty.error?.issues.map(({ path }) => path.join('.')),
      ['defaults.parameters.depth'],
    );
  });
});
