import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { countByLabel } from './test-support/count-by-label.ts';
import { answerInTurn, answerStarted, answerStatus } from './test-support/defender.ts';
import { testWindowMs } from './test-support/open-test-worker.ts';
import { useBench } from './test-support/use-bench.ts';

describe('a dispatch that is throttled', () => {
  const suite = useBench(useEmbeddedRedis());

  it('goes back to its place and everybody waits as long as Defender asked', async () => {
    const { worker, permit, request, dispatchId } = await suite.serveOne(
      answerStatus(429, { 'retry-after': '30' }),
    );
    await suite.bench.accept();
    assert.deepEqual([request.status, request.attempts, request.dispatchedAt], ['queued', 0, undefined]);
    assert.equal(permit, 'kept');
    assert.deepEqual(await worker.tickets.positions([dispatchId]), [1]);
    const hold = await worker.hold();
    assert.equal(hold?.reason, 'throttled');
    assert.ok(hold.leftMs > 28_000 && hold.leftMs <= 30_000, `${hold.leftMs} ms`);
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
    const { worker } = await suite.serveOne(
      answerInTurn(answerStatus(429), answerStatus(429, { 'retry-after': '0' })),
    );
    const lengths = [await worker.hold()];
    for (let again = 0; again < 2; again += 1) {
      await suite.bench.endHolds();
      await worker.serveNext();
      lengths.push(await worker.hold());
    }
    const firstMs = testWindowMs / 60;
    lengths.forEach((hold, time) => {
      const expectedMs = firstMs * 2 ** time;
      assert.equal(hold?.reason, 'throttled');
      assert.ok(hold.leftMs <= expectedMs && hold.leftMs > expectedMs - 500, `${time}: ${hold.leftMs} ms`);
    });
  });

  it('is held for the first length again once Defender was seen at work', async () => {
    const { worker } = await suite.serveOne(
      answerInTurn(answerStatus(429), answerStatus(404, {}, 'no', 'ResourceNotFound'), answerStatus(429)),
    );
    await suite.bench.accept();
    for (let again = 0; again < 2; again += 1) {
      await suite.bench.endHolds();
      await worker.serveNext();
    }
    const hold = await worker.hold();
    assert.ok(hold && hold.leftMs <= testWindowMs / 60, `${hold?.leftMs} ms`);
  });

  it("is put down to somebody else's use while permits were to spare, and to ours when all were out", async () => {
    const { worker } = await suite.serveOne(
      answerInTurn(answerStatus(429), answerStarted, answerStatus(429)),
    );
    assert.deepEqual(await countByLabel(worker.metrics.throttled), { external: 1 });
    const full = await suite.openWorker({ limit: 3 });
    await suite.bench.accept();
    for (let again = 0; again < 2; again += 1) {
      await suite.bench.endHolds();
      await full.serveNext();
    }
    assert.deepEqual(await countByLabel(full.metrics.throttled), { own: 1 });
    assert.deepEqual(await countByLabel(full.metrics.calls), { started: 1, throttled: 1 });
  });
});
