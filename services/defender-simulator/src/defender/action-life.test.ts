import assert from 'node:assert/strict';
import { machineId, openSimulator, stoppedClock, type OpenSimulator } from '../../test/open-simulator.ts';
import type { SimulatorOptions } from '../simulator.ts';

const commands = [
  { type: 'RunScript', params: [{ key: 'ScriptName', value: 'collect.ps1' }] },
  { type: 'GetFile', params: [{ key: 'Path', value: 'C:\\Temp\\found.zip' }] },
];
const sha1 = '87662bc3d60e4200ceaf7aae249d1c343f4b83c9';

/** Each call with a body that is as documented, and what its action shows. */
const calls = [
  ['isolate', { IsolationType: 'Selective' }, { type: 'Isolate', scope: 'Selective' }],
  ['unisolate', {}, { type: 'Unisolate', scope: null }],
  ['collectInvestigationPackage', {}, { type: 'CollectInvestigationPackage' }],
  ['runliveresponse', { Commands: commands }, { type: 'LiveResponse' }],
  [
    'StopAndQuarantineFile',
    { Sha1: sha1.toUpperCase() },
    {
      type: 'StopAndQuarantineFile',
      relatedFileInfo: { fileIdentifier: sha1, filePath: null, fileIdentifierType: 'Sha1' },
    },
  ],
  ['offboard', {}, { type: 'Offboard' }],
] as const;

/** What Defender refuses, with the code of the refusal. */
const refused: [operation: string, body: object, code: string][] = [
  ['isolate', {}, 'MissingRequiredParameter'],
  ['isolate', { IsolationType: 'full' }, 'InvalidRequestBody'],
  ['unisolate', { IsolationType: 'Full' }, 'InvalidRequestBody'],
  ['StopAndQuarantineFile', { Sha1: 'x' }, 'InvalidHashValue'],
  ['runliveresponse', {}, 'MissingRequiredParameter'],
  ['runliveresponse', { Commands: [] }, 'InvalidRequestBody'],
  ['runliveresponse', { Commands: [{ type: 'Delete', params: [] }] }, 'InvalidRequestBody'],
  [
    'runliveresponse',
    { Commands: [{ type: 'GetFile', params: [{ key: 'FileName', value: 'x' }] }] },
    'InvalidRequestBody',
  ],
];

describe('a machine action', () => {
  const clock = stoppedClock('2026-11-01T10:00:00.000Z');
  let simulator: OpenSimulator;
  let token: string;

  async function open(options: Partial<SimulatorOptions> = {}): Promise<void> {
    simulator = await openSimulator({ actionMs: 60_000, actionPendingMs: 10_000, ...options }, clock);
    token = await simulator.token();
  }
  const call = (operation: string, body: object = {}, id = machineId) =>
    simulator.send(`/api/machines/${id}/${operation}`, { token, body: { Comment: 'INC-1', ...body } });
  const live = (id = machineId) => call('runliveresponse', { Commands: commands }, id);
  const read = async (id: string) => (await simulator.send(`/api/machineactions/${id}`, { token })).json;
  const end = (id: string, how: object = {}) => simulator.control(`/machine-actions/${id}/end`, how);
  const statusesOf = (action: { commands: { commandStatus: string }[] }) =>
    action.commands.map(({ commandStatus }) => commandStatus);
  const numbered = (number: number) => number.toString(16).padStart(40, 'a');

  afterEach(() => simulator.close());

  for (const [operation, body, shown] of calls) {
    it(`is made by ${operation} and shows what was asked for`, async () => {
      await open();
      const { status, json } = await call(operation, body);
      assert.equal(status, 201);
      assert.deepEqual({ ...json, ...shown }, json);
      assert.equal(json.requestorComment, 'INC-1');
    });
  }

  it('is not made by a body that is not as documented, or without the role', async () => {
    await open();
    for (const [operation, body, code] of refused) {
      const { status, json } = await call(operation, body);
      assert.deepEqual([status, json.error.code], [400, code], `${operation} ${JSON.stringify(body)}`);
    }
    await simulator.close();
    await open({ roles: ['Machine.Read.All'] });
    for (const [operation, body] of calls) assert.equal((await call(operation, body)).status, 403, operation);
  });

  it('is pending, then in progress, and ends as set', async () => {
    for (const actionOutcome of ['Succeeded', 'Failed', 'TimeOut', 'Cancelled'] as const) {
      await open({ actionOutcome });
      const { id, status } = (await call('isolate', { IsolationType: 'Full' })).json;
      assert.equal(status, 'Pending');
      clock.advance(10_000);
      assert.equal((await read(id)).status, 'InProgress');
      clock.advance(50_000);
      const { status: last, lastUpdateDateTimeUtc } = await read(id);
      assert.deepEqual([last, Date.parse(lastUpdateDateTimeUtc)], [actionOutcome, clock.wallMs()]);
      await simulator.close();
    }
    await open();
  });

  it('ends at the moment that a test chooses, with its commands as far as they came', async () => {
    await open();
    const { id, commands: created } = (await live()).json;
    assert.deepEqual(statusesOf({ commands: created }), ['Created', 'Created']);
    assert.deepEqual(created[0].command, commands[0]);
    const failed = await end(id, { status: 'Failed', failedCommand: 0 });
    assert.deepEqual(statusesOf(failed.json), ['Failed', 'Created']);
    assert.equal((await read(id)).status, 'Failed');
    const next = (await live()).json.id;
    await end(next);
    assert.deepEqual(statusesOf(await read(next)), ['Completed', 'Completed']);
    assert.equal((await end('none')).status, 404);
    assert.equal((await end(next, { status: 'Done' })).status, 400);
  });

  it('stays pending while its machine is offline, and times out in the end', async () => {
    await open({ actionExpiryMs: 3_600_000, tokenLifetimeS: 86_400 });
    const setHealth = (healthStatus: string) =>
      simulator.control('/machines', { id: machineId, healthStatus });
    await setHealth('Inactive');
    const { id } = (await live()).json;
    clock.advance(3_599_999);
    assert.equal((await read(id)).status, 'Pending');
    clock.advance(1);
    assert.equal((await read(id)).status, 'TimeOut');

    const next = (await live()).json.id;
    clock.advance(1_000_000);
    assert.equal((await read(next)).status, 'Pending');
    await setHealth('Active');
    clock.advance(59_999);
    assert.equal((await read(next)).status, 'InProgress');
    clock.advance(1);
    assert.equal((await read(next)).status, 'Succeeded');
  });

  it('of a live response is one on a machine, and one of 25 in the tenant, pending ones included', async () => {
    await open({ liveSessions: 2, actionMs: 3_600_000 });
    const first = (await live()).json.id;
    const again = await live();
    assert.deepEqual([again.status, again.json.error.code], [400, 'ActiveRequestAlreadyExists']);
    assert.equal((await live(numbered(1))).status, 201);
    const refusal = await live(numbered(2));
    assert.deepEqual([refusal.status, refusal.json.error.message], [429, 'Too many requests']);
    await end(first);
    assert.equal((await live(numbered(2))).status, 201);
  });

  it('of a live response is one of 10 a minute', async () => {
    await open();
    for (let number = 0; number < 10; number += 1) assert.equal((await live(numbered(number))).status, 201);
    const refusal = await live(numbered(10));
    assert.match(refusal.json.error.message, /maximum allowed 10 per 00:01:00/);
    assert.equal(refusal.headers['retry-after'], '60');
  });

  it('answers the next call while one runs as a fault says, whatever is set', async () => {
    await open();
    const isolate = () => call('isolate', { IsolationType: 'Full' });
    const first = (await isolate()).json.id;
    for (const answer of ['existing', 'refuse']) {
      await simulator.control('/faults', { target: 'start', action: { kind: 'on-running', answer } });
    }
    assert.equal((await isolate()).json.id, first);
    assert.equal((await isolate()).json.error.code, 'ActiveRequestAlreadyExists');
    assert.notEqual((await isolate()).json.id, first);
    const wrong = { target: 'read', action: { kind: 'on-running', answer: 'refuse' } };
    assert.equal((await simulator.control('/faults', wrong)).status, 400);
  });

  it('about a file is refused while one about the same file runs', async () => {
    await open();
    const stop = (Sha1: string) => call('StopAndQuarantineFile', { Sha1 });
    assert.equal((await stop(sha1)).status, 201);
    assert.equal((await stop(sha1.toUpperCase())).status, 400);
    assert.equal((await stop(sha1.replace('8', '9'))).status, 201);
  });

  it('is judged with those of its machine: the order, and whether one began before the one before it had ended', async () => {
    await open();
    const judgement = async () => (await simulator.control('/machine-actions/judgement')).json;
    const isolation = (await call('isolate', { IsolationType: 'Full' })).json.id;
    clock.advance(1_000);
    await end(isolation);
    const release = (await call('unisolate')).json.id;
    const kept = await judgement();
    assert.deepEqual(kept.overtakings, []);
    const [{ machineId: of, family, actions }] = kept.sequences;
    assert.deepEqual([of, family], [machineId, 'isolation']);
    assert.deepEqual(
      actions.map(({ id }: { id: string }) => id),
      [isolation, release],
    );
    const second = (await call('isolate', { IsolationType: 'Full' })).json.id;
    const [overtaking, ...others] = (await judgement()).overtakings;
    assert.deepEqual([overtaking.first.id, overtaking.second.id, others], [release, second, []]);
    assert.deepEqual((await judgement()).mostAtOnce, { Isolate: 1, Unisolate: 1 });
  });
});
