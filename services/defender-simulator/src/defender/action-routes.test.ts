import assert from 'node:assert/strict';
import {
  clientId,
  machineId,
  openSimulator,
  stoppedClock,
  type OpenSimulator,
} from '../../test/open-simulator.ts';
import type { SimulatorOptions } from '../simulator.ts';

const path = `/api/machines/${machineId}/runAntiVirusScan`;
const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const full = { Comment: 'INC-1 [diq:1]', ScanType: 'Full' };

describe('the calls that make a machine action', () => {
  const clock = stoppedClock('2026-11-01T10:00:00.400Z');
  let simulator: OpenSimulator;
  let token: string;

  async function open(options: Partial<SimulatorOptions> = {}): Promise<void> {
    simulator = await openSimulator(options, clock);
    token = await simulator.token();
  }
  const scan = (body: object = full, at = path) => simulator.send(at, { token, body });
  const read = (query: string) => simulator.send(`/api/machineactions${query}`, { token });
  const idsFor = async (filter: string) =>
    (await read(`?$filter=${encodeURIComponent(filter)}`)).json.value.map(({ id }: { id: string }) => id);

  afterEach(() => simulator.close());

  it('answer 201 with the action, which gives back comment and scope, and ends when its time is over', async () => {
    await open({ actionMs: 60_000 });
    const { status, json } = await scan();
    assert.equal(status, 201);
    assert.equal(json['@odata.context'], `${simulator.origin}/api/$metadata#MachineActions/$entity`);
    assert.match(json.id, guid);
    const { type, scope, requestor, requestorComment, machineId: of } = json;
    assert.deepEqual(
      [type, scope, requestor, requestorComment, of, json.status],
      ['RunAntiVirusScan', 'Full', clientId, 'INC-1 [diq:1]', machineId, 'Pending'],
    );
    assert.deepEqual((await read(`/${json.id}`)).json.id, json.id);
    clock.advance(60_000);
    assert.equal((await read(`/${json.id}`)).json.status, 'Succeeded');
  });

  it('are listed newest first, and found by machine, type and time', async () => {
    await open();
    const first = (await scan()).json.id;
    const since = new Date(clock.wallMs() + 500).toISOString();
    clock.advance(1_000);
    const second = (await scan({ ...full, ScanType: 'Quick' })).json.id;
    assert.deepEqual(
      (await read('')).json.value.map(({ id }: { id: string }) => id),
      [second, first],
    );
    const ofMachine = `machineId eq '${machineId}' and type eq 'RunAntiVirusScan'`;
    assert.deepEqual(await idsFor(ofMachine), [second, first]);
    assert.deepEqual(await idsFor(`${ofMachine} and creationDateTimeUtc ge ${since}`), [second]);
    assert.deepEqual(await idsFor(`type eq 'Isolate'`), []);
  });

  it('refuse a body without comment or scan type, or with another one, and an unknown machine', async () => {
    await open();
    const refusals: [object, string][] = [
      [{ ScanType: 'Full' }, 'MissingRequiredParameter'],
      [{ Comment: 'c' }, 'MissingRequiredParameter'],
      [{ Comment: 'c', ScanType: 'Deep' }, 'InvalidRequestBody'],
      [{ Comment: 'c', scantype: 'Full' }, 'InvalidRequestBody'],
      [{ ...full, Other: 'x' }, 'InvalidRequestBody'],
    ];
    for (const [body, code] of refusals) {
      const { status, json } = await scan(body);
      assert.deepEqual([status, json.error.code], [400, code], JSON.stringify(body));
    }
    const { status, json } = await scan(full, path.replace(machineId, `dead${machineId.slice(4)}`));
    assert.deepEqual([status, json.error.code], [404, 'ResourceNotFound']);
  });

  it('answer a repeat while one is pending with that one, or refuse it, as set', async () => {
    await open({ onRunning: 'existing', actionMs: 60_000 });
    const first = (await scan()).json;
    const again = await scan({ ...full, Comment: 'INC-2 [diq:2]' });
    assert.deepEqual(
      [again.status, again.json.id, again.json.requestorComment],
      [201, first.id, 'INC-1 [diq:1]'],
    );
    clock.advance(60_000);
    assert.notEqual((await scan()).json.id, first.id);
    await simulator.close();

    await open({ onRunning: 'refuse' });
    await scan();
    const refused = await scan();
    assert.deepEqual([refused.status, refused.json.error.code], [400, 'ActiveRequestAlreadyExists']);
  });

  it('refuse an application without the role, in the recorded words, and so do the reads', async () => {
    await open({ roles: ['Alert.ReadWrite.All'] });
    const { status, json } = await scan();
    assert.deepEqual(
      [status, json.error.message],
      [
        403,
        'Missing application roles. API required roles: Machine.Scan, application roles: Alert.ReadWrite.All.',
      ],
    );
    assert.equal((await read('')).status, 403);
    assert.equal((await simulator.start(token)).status, 200);
  });

  it('have a quota of their own, per minute and per hour', async () => {
    await open({ actionsPerMinute: 2, actionsPerHour: 3 });
    assert.deepEqual([(await scan()).status, (await scan()).status], [201, 201]);
    const minute = await scan();
    assert.deepEqual([minute.status, minute.headers['retry-after']], [429, '60']);
    assert.match(minute.json.error.message, /maximum allowed 2 per 00:01:00/);
    assert.equal((await simulator.start(token)).status, 200);
    clock.advance(60_000);
    assert.equal((await scan()).status, 201);
    assert.match((await scan()).json.error.message, /maximum allowed 3 per 01:00:00/);
  });

  it('are logged with the action that they made, also where the answer was lost, and can be made by others', async () => {
    await open();
    await simulator.control('/faults', { target: 'start', action: { kind: 'reset', when: 'after' } });
    await assert.rejects(scan());
    const { calls } = (await simulator.control('/calls')).json;
    const { machineActions } = (await simulator.control('/machine-actions')).json;
    assert.deepEqual(
      calls.map(({ operation, actionId, status }: Record<string, unknown>) => [operation, actionId, status]),
      [['runAntiVirusScan', machineActions[0].id, 'reset']],
    );
    const others = { machineId, type: 'RunAntiVirusScan', scope: 'Quick', comment: 'by hand' };
    assert.equal((await simulator.control('/machine-actions', others)).json.requestorComment, 'by hand');
    assert.equal((await read('')).json.value.length, 2);
  });
});
