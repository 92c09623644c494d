import assert from 'node:assert/strict';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { redisNowMs, untilRedisIsPast } from '@diq/testing/redis-clock.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { policyFor } from '../execution/outcome-policy.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { Call } from '../execution/execute-task.ts';
import { answerInTurn, answerStarted, answerStatus } from '../test-support/defender.ts';
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

/** Short, so that the tests need not wait long for a call that can no longer be under way. */
const timeouts = { callTimeoutMs: 150, permitTimeoutMs: 250 };

describe('what a dead worker left behind', () => {
  const suite = useBench(useEmbeddedRedis());

  /** A worker that has claimed and spent, and goes no further by itself. */
  async function spentBy(worker: TestWorker) {
    const accepted = await suite.bench.accept();
    const job = await worker.claimer.claim();
    assert.ok(job);
    const task = await worker.find(accepted.taskId);
    const call: Call = {
      callId: worker.steps.newCallId(),
      task,
      sendBy: worker.steps.startSendDeadline(),
    };
    assert.equal((await worker.steps.spend(call.callId, task)).kind, 'granted');
    return { ...accepted, job, call, endsAtMs: await endsAtMs() };
  }

  async function begunBy(worker: TestWorker) {
    const spent = await spentBy(worker);
    assert.equal(await worker.steps.begin(spent.call), true);
    return { ...spent, endsAtMs: await endsAtMs() };
  }

  /** By then a call that was spent or begun just now is over for the ledger too. */
  async function endsAtMs(): Promise<number> {
    return (await redisNowMs(suite.bench.redis)) + timeouts.permitTimeoutMs;
  }

  /** Past the end of what the worker may do, and of what the ledger allows it, which begins a moment later. */
  async function pastDeadline(left: { call: Call; endsAtMs: number }): Promise<void> {
    await waitFor(() => !left.call.sendBy.mayStillSend(), {
      what: 'the deadline of the call',
      intervalMs: 10,
    });
    await untilRedisIsPast(suite.bench.redis, left.endsAtMs);
  }

  /** The outcome is in the ledger, and the task does not know it: it cannot be found while that is recorded. */
  async function recordedBy(worker: TestWorker, outcome: CallOutcome) {
    const begun = await begunBy(worker);
    const key = suite.bench.keys.task(begun.taskId);
    await suite.bench.redis.rename(key, `${key}:aside`);
    await worker.steps.record(begun.call, outcome, policyFor(outcome, wording));
    await suite.bench.redis.rename(`${key}:aside`, key);
    assert.equal((await worker.find(begun.taskId)).state, 'in_flight');
    return begun;
  }

  describe('between spending and beginning', () => {
    it('is not called while the dead worker could still call', async () => {
      const [dead, heir] = await Promise.all([suite.openWorker(timeouts), suite.openWorker()]);
      const { requestId, call } = await spentBy(dead);
      await dead.close();
      const task = await heir.find(call.task.id);
      const reply = await heir.steps.spend(heir.steps.newCallId(), task);
      assert.ok(reply.kind === 'spent' && reply.call?.callId === call.callId);
      await heir.steps.onRefusal(reply, task);
      assert.equal((await heir.ledger.findCall(call.callId))?.outcome, 'in_flight');
      assert.equal((await suite.bench.read(requestId)).status, 'queued');
      assert.deepEqual(suite.defender.calls, []);
    });

    it('is called once, later, and the stale permit is given back', async () => {
      const lockMs = 150;
      const dead = await suite.openWorker({ ...timeouts, lockMs });
      const left = await spentBy(dead);
      await dead.close();
      const heir = await suite.openWorker({ ...timeouts, lockMs });
      await pastDeadline(left);

      // The dead worker's own job meets the stale intent and clears it away.
      const claimBack = async () => {
        await heir.claimer.bringBack();
        return heir.claimer.claim();
      };
      const job = await waitFor(claimBack, { what: 'the job to come back' });
      assert.equal(await heir.serve(job), 'released');
      assert.equal(await heir.used(), 0);
      assert.equal(await heir.ledger.findCall(left.call.callId), undefined);
      assert.deepEqual(suite.defender.calls, []);

      // Its job is used up by that, and the search for missing ones brings another.
      await heir.requeueMissingJobs();
      await heir.requeueMissingJobs();
      assert.equal(await heir.serveNext(), 'kept');
      const { status, attempts } = await suite.bench.read(left.requestId);
      assert.deepEqual([status, attempts], ['started', 1]);
      assert.equal(suite.defender.calls.length, 1);
      assert.equal(await heir.used(), 1);
    });

    it('is not called by a worker that only seemed dead and goes on after its deadline', async () => {
      const [late, heir] = await Promise.all([suite.openWorker(timeouts), suite.openWorker(timeouts)]);
      suite.defender.answer = answerInTurn(answerStatus(429, { 'retry-after': '1' }), answerStarted);
      const left = await spentBy(late);
      await pastDeadline(left);
      const reply = await heir.steps.spend(heir.steps.newCallId(), left.call.task);
      assert.ok(reply.kind === 'spent');
      await heir.steps.onRefusal(reply, left.call.task);
      // Its place is free again, so the gate opens for it; the deadline is what holds it back.
      assert.equal(await late.steps.begin(left.call), true);
      const outcome = await late.steps.call(left.call, 'token');
      await late.steps.record(left.call, outcome, policyFor(outcome, wording));
      assert.deepEqual(suite.defender.calls, []);
      assert.equal((await suite.bench.read(left.requestId)).status, 'queued');
      assert.equal(await heir.used(), 0);
    });
  });

  describe('between beginning and recording', () => {
    it('is left alone while the call can still be under way', async () => {
      const [busy, other] = await Promise.all([suite.openWorker(), suite.openWorker()]);
      const { requestId, call } = await begunBy(busy);
      assert.equal(await other.recover(), 0);
      assert.equal((await suite.bench.read(requestId)).status, 'dispatching');
      assert.equal((await other.ledger.findCall(call.callId))?.outcome, 'in_flight');
    });

    it('is looked up in Defender after that, and not called again', async () => {
      const dead = await suite.openWorker({ ...timeouts, lockMs: 150 });
      const { requestId, taskId, call } = await begunBy(dead);
      await dead.close();
      const heir = await suite.openWorker({ ...timeouts, lockMs: 150 });
      const begunAtMs = (await heir.find(taskId)).sentAtMs ?? 0;
      assert.equal(await recovery(heir), 1);
      const { nowMs } = await heir.ledger.snapshot();
      assert.ok(nowMs - begunAtMs > timeouts.permitTimeoutMs, `after ${nowMs - begunAtMs} ms`);

      const { status, error, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, error?.code, attempts], ['dispatching', 'call_interrupted', 1]);
      assert.equal((await heir.find(taskId)).state, 'reconciling');
      assert.equal((await heir.ledger.findCall(call.callId))?.outcome, 'lost');
      assert.equal(await heir.used(), 1, 'a call that may have left counts');
      assert.equal(await heir.recover(), 0);

      assert.equal(await heir.jobs.countAll(), 0, 'its job went with it');
      assert.deepEqual(suite.defender.calls, []);
    });

    it('takes what a worker that only seemed dead reports late, while it is looked up', async () => {
      const [late, heir] = await Promise.all([suite.openWorker(timeouts), suite.openWorker(timeouts)]);
      const { requestId, call } = await begunBy(late);
      await recovery(heir);
      await late.steps.record(call, started, policyFor(started, wording));
      const { status, investigationId, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, investigationId, attempts], ['started', '5146', 1]);
      assert.equal((await heir.ledger.findCall(call.callId))?.outcome, 'started');
      assert.equal(await heir.used(), 1);
    });

    it('is called again when a worker that only seemed dead says that it never made the call', async () => {
      const [late, heir] = await Promise.all([suite.openWorker(timeouts), suite.openWorker(timeouts)]);
      const { requestId, taskId, call, job } = await begunBy(late);
      await recovery(heir);
      assert.equal((await heir.find(taskId)).state, 'reconciling');
      await late.steps.giveBackUnused(call);
      await job.release();
      assert.equal(await heir.used(), 0);
      assert.equal((await suite.bench.read(requestId)).status, 'queued');
      await heir.requeueMissingJobs();
      await heir.requeueMissingJobs();
      assert.equal(await heir.serveNext(), 'kept');
      const { status, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, attempts, suite.defender.calls.length], ['started', 1, 1]);
    });

    it('is not looked up where its maker says again, after a failover, that it never made the call', async () => {
      const [maker, heir] = await Promise.all([suite.openWorker(timeouts), suite.openWorker(timeouts)]);
      const { requestId, taskId, call } = await begunBy(maker);
      const task = await suite.bench.redis.dumpBuffer(suite.bench.keys.task(taskId));
      const request = await suite.bench.redis.dumpBuffer(suite.bench.keys.request(requestId));
      await maker.steps.giveBackUnused(call);
      // The replica that is promoted knows that the call began, and not that it was given back.
      await suite.bench.redis.restore(suite.bench.keys.task(taskId), 0, task ?? '', 'REPLACE');
      await suite.bench.redis.restore(suite.bench.keys.request(requestId), 0, request ?? '', 'REPLACE');
      assert.equal((await heir.find(taskId)).state, 'in_flight');
      await maker.steps.attemptPending();
      assert.equal((await heir.find(taskId)).state, 'waiting');
      assert.equal((await suite.bench.read(requestId)).status, 'queued');
    });

    it('is called again when a worker that only seemed dead was answered that it should be', async () => {
      const [late, heir] = await Promise.all([suite.openWorker(timeouts), suite.openWorker(timeouts)]);
      const { requestId, call, job } = await begunBy(late);
      await recovery(heir);
      await late.steps.record(call, throttled, policyFor(throttled, wording));
      await job.release();
      assert.equal((await suite.bench.read(requestId)).status, 'queued');
      await heir.requeueMissingJobs();
      await heir.requeueMissingJobs();
      await suite.bench.endHolds();
      assert.equal(await heir.serveNext(), 'kept');
      const { status, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, attempts, suite.defender.calls.length], ['started', 1, 1]);
      assert.equal(await heir.used(), 2);
    });

    it('keeps what a worker that only seemed dead reports too late out of the requests', async () => {
      const [late, heir] = await Promise.all([suite.openWorker(timeouts), suite.openWorker(timeouts)]);
      const { requestId, taskId, call } = await begunBy(late);
      await recovery(heir);
      await heir.tasks.settle(taskId, call.callId, { status: 'unknown', attempts: 0 });
      await late.steps.record(call, started, policyFor(started, wording));
      assert.equal((await suite.bench.read(requestId)).status, 'unknown');
      assert.equal((await heir.ledger.findCall(call.callId))?.outcome, 'started');
      assert.equal(await heir.used(), 1);
    });
  });

  describe('between recording and settling', () => {
    it('is settled exactly as recorded', async () => {
      const dead = await suite.openWorker(timeouts);
      const { requestId } = await recordedBy(dead, started);
      await dead.close();
      const heir = await suite.openWorker(timeouts);
      await recovery(heir);
      const { status, investigationId, attempts, error } = await suite.bench.read(requestId);
      assert.deepEqual([status, investigationId, attempts, error], ['started', '5146', 1, undefined]);
      assert.equal(await heir.used(), 1);
    });

    it('keeps the reason of a failure', async () => {
      const worker = await suite.openWorker(timeouts);
      const refused: CallOutcome = {
        kind: 'refused',
        status: 400,
        errorMessage: 'no',
        defenderTarget: 'target-1',
        durationMs: 1,
      };
      const { requestId } = await recordedBy(worker, refused);
      await recovery(worker);
      const { requests } = policyFor(refused, wording);
      assert.ok(requests.kind === 'settle');
      assert.deepEqual((await suite.bench.read(requestId)).error, requests.settlement.error);
    });

    it('is looked up for the reason that was recorded', async () => {
      const dead = await suite.openWorker(timeouts);
      const { requestId, taskId } = await recordedBy(dead, { kind: 'timeout', durationMs: 1 });
      await dead.close();
      const heir = await suite.openWorker(timeouts);
      await recovery(heir);
      assert.deepEqual((await heir.find(taskId)).unresolved?.cause, 'lost');
      const { status, error, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, error?.code, attempts], ['dispatching', 'call_timeout', 1]);
    });

    it('goes back to its place with its job when it was throttled', async () => {
      const dead = await suite.openWorker(timeouts);
      const { requestId, taskId } = await recordedBy(dead, throttled);
      await suite.bench.redis.del(suite.bench.queueKey(taskId), `${suite.bench.queueKey(taskId)}:lock`);
      await suite.bench.redis.del(suite.bench.queueKey('active'));
      await dead.close();
      const heir = await suite.openWorker(timeouts);
      await recovery(heir);
      const { status, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, attempts], ['queued', 0]);
      assert.deepEqual(await heir.jobs.positions([taskId]), [1]);

      assert.equal(await heir.serveNext(), 'kept');
      assert.equal((await suite.bench.read(requestId)).status, 'started');
      assert.equal(await heir.used(), 2, 'the throttled call counts too');
    });
  });

  it('has one outcome when two workers recover at once', async () => {
    const dead = await suite.openWorker(timeouts);
    const left = [await begunBy(dead), await recordedBy(dead, started), await recordedBy(dead, throttled)];
    await dead.close();
    const heirs = await Promise.all([suite.openWorker(timeouts), suite.openWorker(timeouts)]);
    await pastDeadline(left[2]!);
    await Promise.all(heirs.map((heir) => heir.recover()));
    const statuses = await Promise.all(
      left.map(async ({ requestId }) => (await suite.bench.read(requestId)).status),
    );
    assert.deepEqual(statuses, ['dispatching', 'started', 'queued']);
    const counts = await suite.bench.redis.hgetall(suite.bench.keys.counts);
    assert.deepEqual({ ...counts }, { queued: '1', dispatching: '1', started: '1', reconciling: '1' });
    assert.equal(await heirs[0].used(), 3);
  });

  it('is finished also behind one that cannot be read', async () => {
    const worker = await suite.openWorker(timeouts);
    const poison = await begunBy(worker);
    const other = await begunBy(worker);
    await suite.bench.redis.hset(suite.bench.keys.request(poison.requestId), 'doc', '{"from":"the future"}');
    await pastDeadline(other);
    await worker.recover();
    assert.equal((await worker.find(other.taskId)).state, 'reconciling');
    assert.ok(worker.logLines.some((line) => line.includes(poison.taskId) && line.includes('"error"')));
  });

  it('is unknown where it cannot be read, or is gone, and its machine is free again', async () => {
    const worker = await suite.openWorker({ ...timeouts, limit: 20 });
    const { redis, keys } = suite.bench;
    for (const damage of [
      (id: string) => redis.hset(keys.task(id), 'createdAt', 'yesterday'),
      (id: string) => redis.hdel(keys.task(id), 'state'),
    ]) {
      const poison = await begunBy(worker);
      const { machineId } = await suite.bench.read(poison.requestId);
      await damage(poison.taskId);
      await pastDeadline(poison);
      assert.equal(await worker.recover(), 1);
      const { status, error, attempts } = await suite.bench.read(poison.requestId);
      assert.deepEqual([status, error?.code, attempts], ['unknown', 'payload_unreadable', 1]);
      const next = await suite.bench.accept({ machineId });
      assert.equal((await suite.bench.read(next.requestId)).coalescedWith, undefined);
      await worker.tasks.endWaiting(next.taskId, { status: 'cancelled', attempts: 0 });
      await worker.jobs.remove(next.taskId);
    }
    const gone = await begunBy(worker);
    await redis.del(keys.task(gone.taskId));
    await pastDeadline(gone);
    assert.equal(await worker.recover(), 1);
    assert.equal(await redis.zcard(keys.inFlight), 0);
    assert.equal(await worker.recover(), 0);
  });

  it('is looked up when what was recorded cannot be read', async () => {
    const worker = await suite.openWorker(timeouts);
    const texts = ['{"kind":"settle","settlement":{"status":"paused","attempts":1}}', '{"kind":'];
    const left = [];
    for (const requests of texts) {
      const begun = await begunBy(worker);
      await worker.ledger.recordAnswer(begun.call.callId, { outcome: 'started', facts: { requests } });
      left.push(begun);
    }
    await pastDeadline(left[1]!);
    await worker.recover();
    for (const { requestId } of left) {
      const { status, error } = await suite.bench.read(requestId);
      assert.deepEqual([status, error?.code], ['dispatching', 'call_interrupted']);
    }
  });
});

function recovery(worker: TestWorker): Promise<number> {
  return waitFor(() => worker.recover(), { what: 'something to recover', intervalMs: 10 });
}
