import assert from 'node:assert/strict';
import { redisNowMs, untilRedisIsPast } from '@diq/testing/redis-clock.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { httpAnswer } from '../defender/test-support/scripted-server.ts';
import { answerPage, answerStarted, answerStatus, type Answer } from '../test-support/defender.ts';
import { clientSecret } from '../test-support/open-entra.ts';
import { countByLabel } from '../test-support/count-by-label.ts';
import type { Readable } from '../test-support/test-metrics.ts';
import { testWindowMs } from '../test-support/test-worker-parts.ts';
import { useBench } from '../test-support/use-bench.ts';

const cut: Answer = ({ socket }) => void socket.resetAndDestroy();
const echo: Answer = (call) => answerStatus(400, {}, `Bearer ${call.token} is not good`, 'BadRequest')(call);

describe('a task on real ledger, store and sockets', () => {
  const suite = useBench(useEmbeddedRedis());

  describe('that is started', () => {
    it('gives its requests the investigation id and keeps one permit for a window', async () => {
      const { worker, permit, request } = await suite.serveOne(answerStarted);
      assert.equal(request.status, 'started');
      assert.equal(request.investigationId, '5146');
      assert.equal(request.attempts, 1);
      assert.equal(permit, 'kept');
      const view = await worker.ledger.snapshot();
      assert.equal(view.slotsInUse.length, 1);
      assert.equal(view.slotsInUse[0]?.call?.outcome, 'started');
      assert.equal(view.hold, undefined);
      assert.equal(await worker.jobs.countAll(), 0);
      assert.deepEqual(await countByLabel(worker.metrics.calls), { started: 1 });
    });

    it('counts its permit from the answer, not from the call', async () => {
      const { redis } = suite.bench;
      const pass50Ms = async () => untilRedisIsPast(redis, (await redisNowMs(redis)) + 50);
      const { worker } = await suite.serveOne((call) => void pass50Ms().then(() => answerStarted(call)));
      const { slotsInUse } = await worker.ledger.snapshot();
      const { freeAtMs, call } = slotsInUse[0]!;
      assert.equal(freeAtMs, call!.answeredAt! + testWindowMs);
      assert.deepEqual(worker.countedFromMs, [call!.answeredAt]);
      assert.ok(call!.answeredAt! - call!.spentAt >= 50);
    });

    it('observes waiting, lag and the length of the call', async () => {
      const { worker } = await suite.serveOne(answerStarted);
      for (const histogram of [
        worker.metrics.queueWait,
        worker.metrics.dispatchLag,
        worker.metrics.callDuration,
      ]) {
        assert.equal(await countOf(histogram), 1);
      }
    });

    it('serves everybody who joined it with the one call', async () => {
      const worker = await suite.openWorker();
      const first = await suite.bench.accept();
      const { machineId } = await suite.bench.read(first.requestId);
      const joined = await suite.bench.accept({ machineId });
      await worker.serveNext();
      for (const { requestId } of [first, joined]) {
        assert.equal((await suite.bench.read(requestId)).investigationId, '5146');
      }
      assert.deepEqual(suite.defender.calls, [machineId]);
    });
  });

  describe('that Defender refuses', () => {
    it('fails with the reason, without a hold for others', async () => {
      for (const [status, said, code] of [
        [404, 'ResourceNotFound', 'machine_not_found'],
        [400, 'OsPlatformNotSupported', 'request_refused'],
      ] as const) {
        const { worker, permit, request } = await suite.serveOne(answerStatus(status, {}, 'because', said));
        assert.equal(request.status, 'failed');
        assert.equal(request.error?.code, code);
        assert.match(request.error?.message ?? '', new RegExp(`It says: ${said}: because$`));
        assert.equal(permit, 'kept');
        assert.equal(await worker.hold(), undefined);
        assert.equal(await worker.jobs.countAll(), 0);
      }
    });
  });

  describe('that is not allowed', () => {
    it('waits in its place until an administrator has acted, with a hold for everybody', async () => {
      const { worker, permit, request } = await suite.serveOne(answerStatus(403));
      assert.deepEqual([request.status, request.attempts], ['queued', 0]);
      assert.equal(permit, 'kept');
      assert.equal((await worker.hold())?.reason, 'not_allowed');
      assert.deepEqual(await countByLabel(worker.metrics.calls), { not_allowed: 1 });
    });
  });

  describe('whose path to Defender is at fault', () => {
    for (const [what, answer, reason] of [
      ['a page of a gateway, 404', answerPage(404), 'endpoint_unusable'],
      ['a page of a gateway, 431', answerPage(431), 'endpoint_unusable'],
      ['a page of a gateway, 403', answerPage(403), 'not_allowed'],
      ['a redirect', answerPage(308), 'endpoint_unusable'],
      ['a route that Defender does not know', answerStatus(404, {}, 'no', 'NotFound'), 'endpoint_unusable'],
      ['an unknown code', answerStatus(400), 'endpoint_unusable'],
      ['405', answerPage(405), 'endpoint_unusable'],
      ['410', answerPage(410), 'retired'],
    ] as const) {
      it(`waits unharmed, with a hold for everybody, after ${what}`, async () => {
        const { worker, request } = await suite.serveOne(answer);
        assert.deepEqual([request.status, request.attempts, request.error], ['queued', 0, undefined]);
        assert.equal((await worker.hold())?.reason, reason);
        assert.equal(await worker.jobs.countAll(), 1);
        assert.deepEqual(await countByLabel(worker.metrics.calls), { [reason]: 1 });
      });
    }
  });

  describe('that cannot reach Defender', () => {
    it('spends no permit, and everybody waits a little', async () => {
      const closed = `http://127.0.0.1:${await findFreePort()}`;
      const worker = await suite.openWorker({ defenderUrl: closed });
      const { requestId, taskId } = await suite.bench.accept();
      const { nowMs: beforeMs } = await worker.ledger.snapshot();
      assert.equal(await worker.serveNext(), 'released');
      const { nowMs, slotsInUse } = await worker.ledger.snapshot();
      assert.deepEqual(slotsInUse, []);
      const { redis, keySpace } = suite.bench;
      const setAtMs = Number(await redis.hget(`${keySpace}:holds`, 'unreachable')) - 1_000;
      assert.ok(beforeMs <= setAtMs && setAtMs <= nowMs, `set ${setAtMs - beforeMs} ms after it began`);
      const { status, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, attempts], ['queued', 0]);
      assert.deepEqual(await worker.jobs.positions([taskId]), [1]);
      assert.deepEqual(await countByLabel(worker.metrics.calls), { not_sent: 1 });
      assert.equal(await countOf(worker.metrics.queueWait), 0, 'it waits on');
      assert.equal(await countOf(worker.metrics.dispatchLag), 0, 'it waits on');
    });
  });

  describe('whose answer is lost', () => {
    for (const [what, answer, outcome, code] of [
      ['an error of Defender', answerStatus(500), 'server_error', 'server_error'],
      ['a broken connection', cut, 'connection_lost', 'connection_lost'],
    ] as const) {
      it(`is looked up after ${what}, not called again, and everybody waits`, async () => {
        const { worker, permit, taskId, request } = await suite.serveOne(answer);
        assert.equal((await worker.find(taskId)).state, 'reconciling');
        assert.deepEqual([request.status, request.error?.code, request.attempts], ['dispatching', code, 1]);
        assert.equal(permit, 'kept');
        assert.equal(await worker.used(), 1);
        assert.equal((await worker.hold())?.reason, 'failing');
        assert.deepEqual(await countByLabel(worker.metrics.calls), { [outcome]: 1 });
        assert.equal(await worker.jobs.countAll(), 0);
      });
    }

    it('is looked up after a timeout, and everybody waits', async () => {
      suite.defender.answer = () => undefined;
      const worker = await suite.openWorker({ callTimeoutMs: 100 });
      const { requestId } = await suite.bench.accept();
      assert.equal(await worker.serveNext(), 'kept');
      const { status, error } = await suite.bench.read(requestId);
      assert.deepEqual([status, error?.code], ['dispatching', 'call_timeout']);
      assert.equal((await worker.hold())?.reason, 'failing');
    });

    for (const [what, answer] of [
      ['a page', httpAnswer(200, '<h1>Sign in</h1>', { 'content-type': 'text/html' })],
      ['a document of another kind', httpAnswer(200, '{"status":"ok"}')],
      ['a list', httpAnswer(200, '[]')],
      ['nothing', httpAnswer(202, '')],
    ] as const) {
      it(`is looked up after ${what} in place of Defender's answer, everybody waits, and it is not lost`, async () => {
        const { worker, request, taskId } = await suite.serveOne(({ socket }) => void socket.end(answer));
        assert.deepEqual([request.status, request.error?.code], ['dispatching', 'answer_unreadable']);
        assert.equal((await worker.hold())?.reason, 'endpoint_unusable');
        // Where Defender shows nothing of it either, it is called again.
        const { unresolved } = await worker.find(taskId);
        assert.equal(unresolved?.cause, 'failed');
      });
    }

    it('is looked up without a hold when nothing but its id is unreadable', async () => {
      for (const answer of [httpAnswer(200, '{"value":0}'), httpAnswer(200, '{"value":5146}').slice(0, -5)]) {
        const { worker, request } = await suite.serveOne(({ socket }) => void socket.end(answer));
        assert.deepEqual([request.status, request.error?.code], ['dispatching', 'answer_unreadable']);
        assert.equal(await worker.hold(), undefined);
      }
    });

    it('is looked up without a hold when the worker itself is stopped', async () => {
      const arrived = new Promise<void>((resolve) => (suite.defender.answer = () => resolve()));
      const worker = await suite.openWorker();
      const { requestId } = await suite.bench.accept();
      const serving = worker.serveNext();
      await arrived;
      worker.abandonCalls.abort();
      assert.equal(await serving, 'kept');
      const { status, error } = await suite.bench.read(requestId);
      assert.deepEqual([status, error?.code], ['dispatching', 'call_interrupted']);
      assert.equal(await worker.hold(), undefined);
    });
  });

  it('goes back untouched when the worker is stopped before the call left', async () => {
    const worker = await suite.openWorker();
    worker.abandonCalls.abort();
    const { requestId, taskId } = await suite.bench.accept();
    assert.equal(await worker.serveNext(), 'released');
    assert.equal((await suite.bench.read(requestId)).status, 'queued');
    assert.deepEqual(await worker.jobs.positions([taskId]), [1]);
    assert.equal(await worker.used(), 0);
    assert.equal(await worker.hold(), undefined);
    assert.deepEqual(suite.defender.calls, []);
  });

  it('never leaves after its send deadline, however long the process stood still', async () => {
    const worker = await suite.openWorker({ permitTimeoutMs: 30 });
    const { taskId } = await suite.bench.accept();
    const task = await worker.find(taskId);
    const call = { callId: worker.steps.newCallId(), task, sendBy: worker.steps.startSendDeadline() };
    await worker.steps.spend(call.callId, task);
    await worker.steps.begin(call);
    await waitFor(() => !call.sendBy.mayStillSend(), { what: 'the deadline', intervalMs: 5 });
    const outcome = await worker.steps.call(call, 'token');
    assert.ok(outcome.kind === 'not_sent' && outcome.reason === 'send_deadline_passed');
    assert.deepEqual(suite.defender.calls, []);
  });

  it('expires without a permit', async () => {
    const worker = await suite.openWorker();
    const notAfter = new Date(Date.now() - 1_000).toISOString();
    const { requestId } = await suite.bench.accept({ notAfter });
    assert.equal(await worker.serveNext(), 'released');
    const { status, error, attempts } = await suite.bench.read(requestId);
    assert.deepEqual([status, error?.code, attempts], ['expired', 'deadline_reached', 0]);
    assert.equal(await worker.used(), 0);
    assert.deepEqual(suite.defender.calls, []);
  });

  it('waits when limiter and ledger disagree, and that is counted', async () => {
    const worker = await suite.openWorker({ limit: 1 });
    await suite.bench.accept();
    await worker.serveNext();
    const { requestId, taskId } = await suite.bench.accept();
    assert.equal(await worker.serveNext(), 'released');
    assert.equal((await suite.bench.read(requestId)).status, 'queued');
    assert.deepEqual(await worker.jobs.positions([taskId]), [1]);
    assert.equal((await worker.metrics.interlockRefusals.get()).values[0]?.value, 1);
    assert.equal(suite.defender.calls.length, 1);
  });

  it('stores its outcome as soon as Redis takes it, however often that fails', async () => {
    const worker = await suite.openWorker();
    const { requestId, taskId } = await suite.bench.accept();
    // A key of the wrong type makes every write to the ledger fail, as a Redis in trouble does.
    const entries = `${suite.bench.keySpace}:ledger:entries`;
    suite.defender.answer = (call) => {
      void suite.bench.redis
        .multi()
        .rename(entries, `${entries}:aside`)
        .set(entries, 'x')
        .exec()
        .then(() => answerStarted(call));
    };
    const serving = worker.serveNext();
    const failing = () =>
      worker.logLines.some((line) => line.includes('storing the outcome of a call failed'));
    await waitFor(failing, { what: 'a failure to store', intervalMs: 5 });
    assert.equal((await worker.find(taskId)).state, 'in_flight');
    await suite.bench.redis.rename(`${entries}:aside`, entries);
    assert.equal(await serving, 'kept');
    assert.equal((await suite.bench.read(requestId)).investigationId, '5146');
    assert.equal(suite.defender.calls.length, 1);
  });

  it('leaves token and secret in no log, request, job, ledger or metric, even if Defender echoes them', async () => {
    const { worker } = await suite.serveOne(echo);
    suite.defender.answer = (call) => answerStatus(429, { 'x-token': call.token }, call.token)(call);
    await suite.bench.accept();
    await worker.serveNext();
    const stored = await everythingIn(suite.bench.redis, suite.bench.keySpace);
    const written = [...worker.logLines, ...stored, await worker.metrics.registry.metrics()].join('\n');
    assert.match(written, /BadRequest/);
    assert.doesNotMatch(written, /secret-token/);
    assert.ok(!written.includes(clientSecret));
  });
});

/** How often it was observed. */
async function countOf(histogram: Readable): Promise<number> {
  const { values } = await histogram.get();
  return values.find(({ metricName }) => metricName?.endsWith('_count'))?.value ?? 0;
}

async function everythingIn(redis: ReturnType<typeof useBench>['bench']['redis'], keySpace: string) {
  const keys = await redis.keys(`${keySpace.replaceAll(/[{}]/g, '?')}*`);
  return Promise.all(
    keys.map(async (key) => {
      const kind = await redis.type(key);
      if (kind === 'hash') return JSON.stringify(await redis.hgetall(key));
      if (kind === 'list') return JSON.stringify(await redis.lrange(key, 0, -1));
      if (kind === 'zset') return JSON.stringify(await redis.zrange(key, 0, '-1'));
      if (kind === 'set') return JSON.stringify(await redis.smembers(key));
      if (kind === 'stream') return JSON.stringify(await redis.xrange(key, '-', '+'));
      return String(await redis.get(key));
    }),
  );
}
