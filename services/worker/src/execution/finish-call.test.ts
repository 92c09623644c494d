import assert from 'node:assert/strict';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { policyFor } from './outcome-policy.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import { createRestore, restoreCall, type FinishCallOptions } from './finish-call.ts';
import type { Call } from './execute-task.ts';
import { answerStatus } from '../test-support/defender.ts';
import type { TestWorker } from '../test-support/open-test-worker.ts';
import { useBench } from '../test-support/use-bench.ts';

const { wording } = initiateInvestigation;

const started: CallOutcome = {
  kind: 'started',
  result: { kind: 'investigation', id: '5146' },
  status: 200,
  durationMs: 1,
};
const throttled: CallOutcome = { kind: 'throttled', retryAfterMs: 1, status: 429, durationMs: 1 };
const failing: CallOutcome = { kind: 'server_error', status: 500, retryAfterMs: undefined, durationMs: 1 };

describe('a call that Redis has forgotten, after a failover to a replica that lagged', () => {
  const suite = useBench(useEmbeddedRedis());

  /** What stands in Redis now, to go back to. */
  async function rememberState(): Promise<() => Promise<void>> {
    const { redis, keySpace } = suite.bench;
    const pattern = `${keySpace.replaceAll(/[{}]/g, '?')}*`;
    const names = await redis.keys(pattern);
    const contents = await Promise.all(names.map((name) => redis.dumpBuffer(name)));
    return async () => {
      const present = await redis.keys(pattern);
      if (present.length > 0) await redis.del(...present);
      for (const [i, name] of names.entries()) await redis.restore(name, 0, contents[i] ?? '');
      await redis.hset(`${keySpace}:ledger:generation`, 'server', 'another');
    };
  }

  /** Opens the ledger again, as the claim loop does, and does not wait for others. @returns what it had lost */
  async function handOver(worker: TestWorker) {
    assert.equal((await worker.ledger.snapshot()).isLost, true);
    const { restored } = await worker.ledger.open();
    await suite.bench.endHolds();
    return restored;
  }

  const optionsOf = (worker: TestWorker) => worker as unknown as FinishCallOptions;

  async function begun(worker: TestWorker) {
    const task = await worker.find((await suite.bench.accept()).taskId);
    const call: Call = {
      callId: worker.steps.newCallId(),
      task,
      sendBy: worker.steps.startSendDeadline(),
    };
    const before = await rememberState();
    assert.equal((await worker.steps.spend(call.callId, task)).kind, 'granted');
    const afterSpending = await rememberState();
    assert.equal(await worker.steps.begin(call), true);
    const afterBegin = await rememberState();
    return { call, taskId: task.id, before, afterSpending, afterBegin };
  }

  const record = (worker: TestWorker, call: Call, outcome: CallOutcome) =>
    worker.steps.record(call, outcome, policyFor(outcome, wording));
  const requestOf = async (taskId: string) => {
    const first = await suite.bench.redis.hget(suite.bench.keys.task(taskId), 'first');
    return suite.bench.read(first ?? '');
  };

  it('has its outcome stored again at once by the worker that knows it, and is not made again', async () => {
    const worker = await suite.openWorker();
    const accepted = [await suite.bench.accept(), await suite.bench.accept()];
    const goBack = await rememberState();
    for (const _ of accepted) assert.equal(await worker.serveNext(), 'kept');
    await goBack();
    const closing = new AbortController();
    createRestore(optionsOf(worker), closing.signal)(await handOver(worker));
    for (const { requestId } of accepted) {
      const isStarted = async () => (await suite.bench.read(requestId)).status === 'started';
      await waitFor(isStarted, { what: 'the outcome' });
      const { investigationId, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([investigationId, attempts], ['5146', 1]);
    }
    closing.abort();
    assert.equal(suite.defender.calls.length, 2);
  });

  it('is not made by another worker that claims its job: that one stores the outcome', async () => {
    const [maker, other] = [await suite.openWorker(), await suite.openWorker()];
    const { requestId } = await suite.bench.accept();
    const goBack = await rememberState();
    await maker.serveNext();
    await goBack();
    await handOver(maker);
    assert.deepEqual(await handOver(other), []);
    assert.equal(await other.serveNext(), 'released');
    const { status, investigationId, attempts } = await suite.bench.read(requestId);
    assert.deepEqual([status, investigationId, attempts], ['started', '5146', 1]);
    assert.equal(suite.defender.calls.length, 1);
  });

  it('has its outcome stored that comes after the failover', async () => {
    for (const point of ['before', 'afterSpending', 'afterBegin'] as const) {
      const worker = await suite.openWorker();
      await suite.bench.endHolds();
      const { call, taskId, [point]: goBack } = await begun(worker);
      await goBack();
      await record(worker, call, started);
      const { status, investigationId, attempts } = await requestOf(taskId);
      assert.deepEqual([status, investigationId, attempts], ['started', '5146', 1], point);
    }
  });

  it('is looked up where its answer was lost, from the time at which it was made', async () => {
    const worker = await suite.openWorker();
    const { call, taskId, before } = await begun(worker);
    const { spentAt } = (await worker.ledger.findCall(call.callId)) ?? {};
    await before();
    await record(worker, call, failing);
    const { state, sentAtMs, callId } = await worker.find(taskId);
    assert.deepEqual([state, callId], ['reconciling', call.callId]);
    assert.ok(sentAtMs !== undefined && spentAt !== undefined);
    assert.ok(Math.abs(sentAtMs - spentAt) < 1_000);
  });

  it('keeps its place where it was turned away', async () => {
    const worker = await suite.openWorker();
    const { call, taskId, afterBegin } = await begun(worker);
    await record(worker, call, throttled);
    await afterBegin();
    const [lost] = await handOver(worker);
    assert.ok(lost);
    await restoreCall(lost, optionsOf(worker));
    assert.equal((await worker.find(taskId)).state, 'waiting');
    await suite.bench.endHolds();
    assert.equal(await worker.serveNext(), 'kept', 'it is called again');
    assert.equal((await requestOf(taskId)).status, 'started');
  });

  it('is looked up where its worker is gone and another one has seen it: it is unknown whether it left', async () => {
    const timeouts = { callTimeoutMs: 150, permitTimeoutMs: 250 };
    for (const point of ['before', 'afterSpending'] as const) {
      const [dead, other] = [await suite.openWorker(timeouts), await suite.openWorker(timeouts)];
      const { call, taskId, [point]: goBack } = await begun(dead);
      await other.ledger.snapshot();
      await dead.close();
      await goBack();
      await handOver(other);
      const reply = await other.steps.spend(other.steps.newCallId(), call.task);
      assert.ok(reply.kind === 'spent', `${point}: ${JSON.stringify(reply)}`);
      assert.equal(await other.steps.onRefusal(reply, call.task), 'done');
      assert.equal((await other.find(taskId)).state, 'in_flight', point);
      await waitFor(async () => (await other.recover()) > 0, { what: 'the recovery' });
      assert.equal((await other.find(taskId)).state, 'reconciling', point);
    }
    assert.deepEqual(suite.defender.calls, []);
  });

  it('ends its request as it went, also where the deadline of that has passed by now', async () => {
    const worker = await suite.openWorker();
    const notAfter = new Date(Date.now() + 400).toISOString();
    const { requestId } = await suite.bench.accept({ notAfter });
    const goBack = await rememberState();
    await worker.serveNext();
    await waitFor(() => Date.now() > Date.parse(notAfter), { what: 'the deadline' });
    await goBack();
    const [lost] = await handOver(worker);
    assert.ok(lost);
    await restoreCall(lost, optionsOf(worker));
    assert.equal((await suite.bench.read(requestId)).status, 'started');
  });

  it('is logged where its request is lost as well', async () => {
    const worker = await suite.openWorker();
    const goBack = await rememberState();
    const { taskId } = await suite.bench.accept();
    await worker.serveNext();
    await goBack();
    const [lost] = await handOver(worker);
    assert.ok(lost);
    await restoreCall(lost, optionsOf(worker));
    assert.ok(worker.logLines.some((line) => line.includes(taskId) && line.includes('Redis has lost')));
  });

  it('is not abandoned call rescued while others may still hand over what they know', async () => {
    const timeouts = { callTimeoutMs: 20, permitTimeoutMs: 40 };
    const worker = await suite.openWorker(timeouts);
    const { call, taskId, afterBegin } = await begun(worker);
    await afterBegin();
    assert.equal(await worker.recover(), 0, 'before it is open again');
    await worker.ledger.open();
    await waitFor(() => !call.sendBy.mayStillSend(), { what: 'the end of the call' });
    assert.equal(await worker.recover(), 0, 'while the hold is on');
    assert.equal((await worker.find(taskId)).state, 'in_flight');
    await suite.bench.endHolds();
    await waitFor(async () => (await worker.recover()) === 1, { what: 'the recovery' });
  });

  it('is not looked up again where others have decided since that it may be repeated, and ends it if it was started', async () => {
    const [late, other] = [await suite.openWorker(), await suite.openWorker()];
    suite.defender.answer = answerStatus(429, { 'retry-after': '1' });
    const { call, taskId } = await begun(late);
    await other.ledger.recordAnswer(call.callId, { outcome: 'lost', facts: {}, mayRepeat: true });
    await other.tasks.giveBack(taskId, call.callId);
    await record(late, call, failing);
    assert.equal((await other.find(taskId)).state, 'waiting');
    await record(late, call, started);
    assert.equal((await requestOf(taskId)).status, 'started', 'so that it is not repeated');
  });
});
