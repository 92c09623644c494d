import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { captureLog } from './test-support/capture-log.ts';
import { useBench } from './test-support/use-bench.ts';
import { createTicketCheck } from './ticket-check.ts';

describe('ticket check', () => {
  const suite = useBench(useEmbeddedRedis());

  async function loseTicket(dispatchId: string) {
    const { redis, queueKey } = suite.bench;
    await redis.del(queueKey(dispatchId));
    await redis.zrem(queueKey('prioritized'), dispatchId);
  }

  it('restores a lost ticket at the second look, not at the first', async () => {
    const worker = await suite.openWorker();
    const { dispatchId, requestId } = await suite.bench.accept();
    await loseTicket(dispatchId);
    await worker.checkTickets();
    assert.equal(await worker.tickets.countAll(), 0);
    await worker.checkTickets();
    assert.equal(await worker.tickets.countAll(), 1);
    await worker.serveNext();
    assert.equal((await suite.bench.read(requestId)).status, 'started');
  });

  it('restores a ticket in its place in the order', async () => {
    const worker = await suite.openWorker();
    const urgent = await suite.bench.accept({ priority: 'critical' });
    const others = [await suite.bench.accept(), await suite.bench.accept({ priority: 'low' })];
    await loseTicket(urgent.dispatchId);
    await worker.checkTickets();
    await worker.checkTickets();
    const ids = [urgent, ...others].map(({ dispatchId }) => dispatchId);
    assert.deepEqual(await worker.tickets.positions(ids), [1, 2, 3]);
  });

  it('leaves alone what is missing for one look only, as while an intake adds tickets', async () => {
    const worker = await suite.openWorker();
    const first = await suite.bench.accept();
    await loseTicket(first.dispatchId);
    await worker.checkTickets();
    const dispatch = await worker.find(first.dispatchId);
    await worker.tickets.add([{ dispatchId: dispatch.id, rank: dispatch.rank }]);
    await worker.checkTickets();
    // Missing anew: that look was the first again.
    await loseTicket(first.dispatchId);
    await worker.checkTickets();
    assert.equal(await worker.tickets.countAll(), 0);
  });

  it('finds one that is missing behind one too many, page by page', async () => {
    const worker = await suite.openWorker();
    const accepted = [await suite.bench.accept(), await suite.bench.accept(), await suite.bench.accept()];
    await worker.tickets.add([{ dispatchId: 'of-none', rank: 1 }]);
    const last = accepted[2]!.dispatchId;
    await loseTicket(last);
    const check = createTicketCheck({ ...worker, logger: captureLog().logger, pageSize: 1, settleMs: 0 });
    for (let look = 0; look < 3; look += 1) await check();
    assert.deepEqual(await worker.tickets.have([last]), [false], 'seen to be missing once');
    await check();
    assert.deepEqual(await worker.tickets.have([last]), [true]);
    await loseTicket(accepted[0]!.dispatchId);
    for (let look = 0; look < 4; look += 1) await check();
    assert.deepEqual(await worker.tickets.have([accepted[0]!.dispatchId]), [true], 'it begins again');
  });

  it('takes a drawn ticket for present', async () => {
    const [holder, worker] = await Promise.all([suite.openWorker(), suite.openWorker()]);
    await suite.bench.accept();
    const ticket = await holder.drawer.draw();
    await worker.checkTickets();
    await worker.checkTickets();
    assert.equal(await worker.tickets.countReady(), 0);
    await ticket?.useUp();
  });

  it('gives none to a dispatch whose call is under way or that has ended', async () => {
    const worker = await suite.openWorker();
    const [sending, ended] = [await suite.bench.accept(), await suite.bench.accept()];
    await worker.dispatches.begin(sending.dispatchId, 'call-1');
    await worker.dispatches.endWaiting(ended.dispatchId, { status: 'cancelled', attempts: 0 });
    for (const { dispatchId } of [sending, ended]) await loseTicket(dispatchId);
    for (let look = 0; look < 3; look += 1) await worker.checkTickets();
    assert.equal(await worker.tickets.countAll(), 0);
  });

  it('restores the whole order when the queue lost everything', async () => {
    const worker = await suite.openWorker();
    const ids = [];
    for (let i = 0; i < 20; i += 1) ids.push((await suite.bench.accept()).dispatchId);
    const { redis, queueKey } = suite.bench;
    await redis.del(...(await redis.keys(queueKey('*'))));
    await worker.checkTickets();
    await worker.checkTickets();
    assert.deepEqual(
      await worker.tickets.positions(ids),
      ids.map((_, i) => i + 1),
    );
  });

  it('restores one ticket only, however many workers look', async () => {
    const workers = await Promise.all([suite.openWorker(), suite.openWorker()]);
    const { dispatchId } = await suite.bench.accept();
    await loseTicket(dispatchId);
    for (let look = 0; look < 2; look += 1) await Promise.all(workers.map((worker) => worker.checkTickets()));
    assert.equal(await workers[0].tickets.countAll(), 1);
  });
});
