import assert from 'node:assert/strict';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';
import { mostInAnyWindow } from './support/simulator-control.ts';

const limit = 3;
const windowMs = 2_000;

describe('antivirus scans, by real processes', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    // With a look before it, no call would be made for a machine on which a scan runs.
    const env = { DEFENDER_OPERATION: 'runAntiVirusScan', LOOK_BEFORE_CALL: 'off' };
    const options = { redisUrl: redis.url, limit, windowMs, workers: 1, callTimeoutMs: 1_000, env };
    stack = await startStack(options);
  });
  beforeEach('wait for a whole window', async () => {
    await waitFor(async () => (await stack.api.quota()).used === 0, {
      what: 'the last calls to count no more',
    });
  });
  after(() => stack?.stop());

  async function submit(machineId: string, scanType: 'Quick' | 'Full'): Promise<RequestDocument> {
    const asked = { machineId, comment: 'INC-1', parameters: { scanType } };
    const { status, body } = await stack.api.call('POST', '/v1/requests', asked);
    assert.equal(status, 202, JSON.stringify(body));
    return stack.api.findRequest((body as { id: string }).id);
  }
  async function untilOver({ id }: RequestDocument): Promise<RequestDocument> {
    const isOver = async () => {
      const document = await stack.api.findRequest(id).catch(() => undefined);
      return document?.status === 'queued' || document?.status === 'dispatching' ? undefined : document;
    };
    const ended = await waitFor(isOver, { what: `request ${id} to end`, timeoutMs: 40_000 });
    // How far the scan has come is another matter.
    const { kind, id: made, attached } = ended.result ?? {};
    return kind && made ? { ...ended, result: { kind, id: made, ...(attached && { attached }) } } : ended;
  }
  const callsFor = async (machineId: string) =>
    (await stack.control.calls()).calls.filter((call) => call.machineId === machineId);
  const actionsOf = async (machineId: string) =>
    (await stack.control.machineActions()).filter((action) => action.machineId === machineId);

  it('are called as they were asked for, a quick and a full one of a machine each by itself, and give the action', async () => {
    const [machineId = ''] = machineIds(1);
    const [quick, full, again] = [
      await submit(machineId, 'Quick'),
      await submit(machineId, 'Full'),
      await submit(machineId, 'Full'),
    ];
    const ended = await Promise.all([quick, full, again].map(untilOver));
    const actions = await actionsOf(machineId);
    assert.deepEqual(new Set(actions.map(({ scope }) => scope)), new Set(['Full', 'Quick']));
    assert.equal(actions.length, 2);
    for (const { status, operation, parameters, result, investigationId } of ended) {
      const made = actions.find(({ scope }) => scope === parameters?.['scanType']);
      assert.deepEqual(
        [status, operation, result, investigationId],
        ['started', 'runAntiVirusScan', { kind: 'machineAction', id: made?.id }, undefined],
      );
    }
    for (const { requestorComment } of actions)
      assert.match(requestorComment, /^INC-1 \[diq:[\w-]{10,40}\]$/);
    assert.ok(mostInAnyWindow(await stack.control.calls()) <= limit);
  });

  it('are refused by the field at fault', async () => {
    const [machineId = ''] = machineIds(1);
    const asked = { machineId, comment: 'c', parameters: { scanType: 'Deep' } };
    const { status, body } = await stack.api.call('POST', '/v1/requests', asked);
    assert.equal(status, 400);
    assert.deepEqual((body as { errors: unknown }).errors, [
      { path: 'parameters.scanType', message: 'must be one of Quick, Full' },
    ]);
  });

  for (const [what, action] of [
    ['a connection that broke', { kind: 'reset', when: 'after' }],
    ['an error of Defender', { kind: 'status', status: 500, made: true }],
  ] as const) {
    it(`are found by the token in their comment after ${what}, and are not called twice`, async () => {
      const [machineId = ''] = machineIds(1);
      // Another scan of the machine, which must not be taken for this one.
      await stack.control.addMachineAction({ machineId, type: 'RunAntiVirusScan', scope: 'Full' });
      await stack.control.addFault({ target: 'start', times: 1, when: { machineId }, action });
      const { status, result } = await untilOver(await submit(machineId, 'Full'));
      const ours = (await actionsOf(machineId)).filter(({ requestorComment }) =>
        requestorComment.startsWith('INC-1'),
      );
      assert.deepEqual(
        [status, result, ours.length],
        ['started', { kind: 'machineAction', id: ours[0]?.id }, 1],
      );
      assert.equal((await callsFor(machineId)).length, 1);
    });
  }

  it('end with the scan that runs already where Defender says so, without a second call', async () => {
    const [machineId = ''] = machineIds(1);
    const order = { machineId, type: 'RunAntiVirusScan', scope: 'Full' };
    const { id } = await stack.control.addMachineAction(order);
    const code = 'ActiveRequestAlreadyExists';
    const body = { error: { code, message: 'Action is already in progress', target: 't' } };
    const action = { kind: 'status', status: 400, body };
    await stack.control.addFault({ target: 'start', times: 1, when: { machineId }, action });
    const { status, result } = await untilOver(await submit(machineId, 'Quick'));
    assert.deepEqual([status, result], ['started', { kind: 'machineAction', id, attached: true }]);
    assert.equal((await callsFor(machineId)).length, 1);
  });

  for (const made of [true, false]) {
    it(`are not called again after the worker was killed while Defender ${made ? 'had' : 'had not'} made the action`, async () => {
      const [machineId = ''] = machineIds(1);
      const action = { kind: 'hang', made };
      await stack.control.addFault({ target: 'start', times: 1, when: { machineId }, action });
      const request = await submit(machineId, 'Full');
      await waitFor(async () => (await callsFor(machineId)).length === 1, { what: 'the call to arrive' });
      stack.workers.at(-1)?.kill('SIGKILL');
      await stack.workers.at(-1)?.exited;
      await stack.addWorker();
      const { status, result, error } = await untilOver(request);
      const [ours, ...others] = await actionsOf(machineId);
      assert.deepEqual(others, []);
      assert.equal((await callsFor(machineId)).length, 1);
      if (made) {
        assert.deepEqual([status, result], ['started', { kind: 'machineAction', id: ours?.id }]);
      } else assert.deepEqual([status, error?.code], ['unknown', 'call_interrupted']);
    });
  }
});

describe('antivirus scans after Redis was emptied', function () {
  this.timeout(120_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    // With a look before it, no call would be made for a machine on which a scan runs.
    const env = { DEFENDER_OPERATION: 'runAntiVirusScan', LOOK_BEFORE_CALL: 'off' };
    // Longer than a worker takes to start on a busy machine.
    stack = await startStack({ redisUrl: redis.url, limit, windowMs: 40_000, workers: 1, env });
  });
  after(() => stack?.stop());

  it('count in the quota all the same: the ledger is rebuilt from the machine actions', async () => {
    const submit = async (machineId: string) => {
      const asked = { machineId, comment: 'INC-1', parameters: { scanType: 'Quick' } };
      assert.equal((await stack.api.call('POST', '/v1/requests', asked)).status, 202);
    };
    for (const machineId of machineIds(limit)) await submit(machineId);
    await waitFor(async () => (await stack.control.machineActions()).length === limit, {
      what: 'the calls to be made',
    });
    stack.workers.at(-1)?.kill('SIGKILL');
    await stack.workers.at(-1)?.exited;
    await redis.client.flushall();
    const [machineId = ''] = machineIds(1);
    await submit(machineId);
    await stack.addWorker();
    const holdOf = async () => (await stack.api.quota()).hold;
    await waitFor(async () => (await stack.api.quota()).used === limit && (await holdOf()) === null, {
      what: 'the ledger to be rebuilt and the hold to end',
    });
    assert.equal((await stack.control.calls()).calls.length, limit);
  });
});
