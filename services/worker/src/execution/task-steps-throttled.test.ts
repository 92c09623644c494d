import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { countByLabel } from '../test-support/count-by-label.ts';
import { answerInTurn, answerStarted, answerStatus } from '../test-support/defender.ts';
import type { TestWorker } from '../test-support/open-test-worker.ts';
import { useBench } from '../test-support/use-bench.ts';

describe('a task that is throttled', () => {
  const suite = useBench(useEmbeddedRedis());
  const hourMs = 3_600_000;

  /** Serves the next job. @returns between which lengths the hold that it led to was set, by Redis' clock */
  async function holdOfNext(worker: TestWorker) {
    const { nowMs: beforeMs } = await worker.ledger.snapshot();
    assert.equal(await worker.serveNext(), 'kept');
    const { hold, nowMs } = await worker.ledger.snapshot();
    assert.equal(hold?.reason, 'throttled');
    return { atLeastMs: hold.untilMs - nowMs, atMostMs: hold.untilMs - beforeMs };
  }
  function assertHeldFor(lengthMs: number, { atLeastMs, atMostMs }: Awaited<ReturnType<typeof holdOfNext>>) {
    assert.ok(
      atLeastMs <= lengthMs && lengthMs <= atMostMs,
      `${lengthMs} ms: ${atLeastMs} to ${atMostMs} ms`,
    );
  }

  it('goes back to its place and everybody waits as long as Defender asked', async () => {
    suite.defender.answer = answerStatus(429, { 'retry-after': '30' });
    const worker = await suite.openWorker();
    const { requestId, taskId } = await suite.bench.accept();
    assertHeldFor(30_000, await holdOfNext(worker));
    await suite.bench.accept();
    const { status, attempts, dispatchedAt } = await suite.bench.read(requestId);
    assert.deepEqual([status, attempts, dispatchedAt], ['queued', 0, undefined]);
    assert.deepEqual(await worker.jobs.positions([taskId]), [1]);
  });

  it('keeps other workers from calling too', async () => {
    await suite.serveOne(answerStatus(429, { 'retry-after': '30' }));
    const other = await suite.openWorker();
    const { requestId } = await suite.bench.accept({ priority: 'critical' });
    assert.equal((await other.hold())?.reason, 'throttled');
    assert.equal(await other.serveNext(), 'released');
    assert.equal((await suite.bench.read(requestId)).status, 'queued');
    assert.equal(suite.defender.calls.length, 1);
    assert.equal(await other.used(), 1);
  });

  it('is held longer each time in a row when Defender does not say for how long, or says for no time', async () => {
    suite.defender.answer = answerInTurn(answerStatus(429), answerStatus(429, { 'retry-after': '0' }));
    const worker = await suite.openWorker({ windowMs: hourMs });
    await suite.bench.accept();
    for (const times of [1, 2, 4]) {
      assertHeldFor((times * hourMs) / 60, await holdOfNext(worker));
      await suite.bench.endHolds();
    }
  });

  it('is held for the first length again once Defender was seen at work', async () => {
    suite.defender.answer = answerInTurn(
      answerStatus(429),
      answerStatus(404, {}, 'no', 'ResourceNotFound'),
      answerStatus(429),
    );
    const worker = await suite.openWorker({ windowMs: hourMs });
    for (let requests = 0; requests < 2; requests += 1) await suite.bench.accept();
    assertHeldFor(hourMs / 60, await holdOfNext(worker));
    await suite.bench.endHolds();
    assert.equal(await worker.serveNext(), 'kept');
    assertHeldFor(hourMs / 60, await holdOfNext(worker));
  });

  it('is counted by its cause: external where own calls cannot explain the stated quota, unclear where nothing is known', async () => {
    const stating = (calls: number) =>
      answerStatus(429, {}, `API calls quota exceeded! maximum allowed ${calls} per 00:01:00`, '429');
    const { worker } = await suite.serveOne(
      answerInTurn(answerStatus(429), answerStarted, stating(5), stating(1)),
    );
    for (let again = 0; again < 3; again += 1) {
      await suite.bench.accept();
      await suite.bench.endHolds();
      await worker.serveNext();
    }
    assert.deepEqual(await countByLabel(worker.metrics.throttled), { unclear: 1, external: 1, own: 1 });
  });
});
