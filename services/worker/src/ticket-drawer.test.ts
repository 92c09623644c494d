import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useBench } from './test-support/use-bench.ts';
import type { TestWorker } from './test-support/open-test-worker.ts';

describe('ticket drawer', () => {
  const suite = useBench(useEmbeddedRedis());

  function active(): Promise<string[]> {
    return suite.bench.redis.lrange(suite.bench.queueKey('active'), 0, -1);
  }

  it('draws the most urgent ticket at that moment, and nothing when there is none', async () => {
    const worker = await suite.openWorker();
    assert.equal(await worker.drawer.draw(), undefined);
    const low = await suite.bench.accept({ priority: 'low' });
    const critical = await suite.bench.accept({ priority: 'critical' });
    const drawn = [await drawFrom(worker), await drawFrom(worker)].map(({ dispatchId }) => dispatchId);
    assert.deepEqual(drawn, [critical.dispatchId, low.dispatchId]);
    assert.equal(await worker.drawer.draw(), undefined);
  });

  it('draws of each caller in turn, however many sources it names behind what it had asked', async () => {
    const worker = await suite.openWorker();
    for (let i = 0; i < 6; i += 1) await suite.bench.accept({}, 'many');
    for (let i = 0; i < 6; i += 1) await suite.bench.accept({ source: `new-${i}` }, 'many');
    const few: string[] = [];
    for (let i = 0; i < 4; i += 1) few.push((await suite.bench.accept({}, 'few')).dispatchId);
    const drawn = [];
    for (let i = 0; i < 8; i += 1) drawn.push((await drawFrom(worker)).dispatchId);
    assert.equal(drawn.filter((id) => few.includes(id)).length, 4);
  });

  it('gives one ticket to one worker', async () => {
    const [one, other] = await Promise.all([suite.openWorker(), suite.openWorker()]);
    await suite.bench.accept();
    const drawn = await Promise.all([one.drawer.draw(), other.drawer.draw()]);
    assert.equal(drawn.filter((ticket) => ticket !== undefined).length, 1);
  });

  it('leaves nothing of a ticket that is used up, so that the dispatch can have one again', async () => {
    const worker = await suite.openWorker();
    const { dispatchId } = await suite.bench.accept();
    await (await drawFrom(worker)).useUp();
    assert.equal(await worker.tickets.countAll(), 0);
    const left = await suite.bench.redis.keys(`${suite.bench.queueKey(dispatchId)}*`);
    assert.deepEqual(left, []);
  });

  it('puts a ticket back to the front of its rank, as if it had never been drawn', async () => {
    const worker = await suite.openWorker();
    const first = await suite.bench.accept();
    const second = await suite.bench.accept();
    for (let time = 0; time < 3; time += 1) {
      const ticket = await drawFrom(worker);
      assert.equal(ticket.dispatchId, first.dispatchId);
      await ticket.putBack();
    }
    assert.deepEqual(await worker.tickets.positions([first.dispatchId, second.dispatchId]), [1, 2]);
    const made = await suite.bench.redis.hget(suite.bench.queueKey(first.dispatchId), 'atm');
    assert.ok(made === null || made === '0', `attemptsMade is ${made}`);
    assert.deepEqual(await active(), []);
  });

  it('lets an urgent newcomer go before a ticket that was put back', async () => {
    const worker = await suite.openWorker();
    await suite.bench.accept();
    await (await drawFrom(worker)).putBack();
    const urgent = await suite.bench.accept({ priority: 'critical' });
    assert.equal((await drawFrom(worker)).dispatchId, urgent.dispatchId);
  });

  it('neither throws nor harms when the lock of a drawn ticket was lost', async () => {
    const worker = await suite.openWorker();
    for (const end of ['useUp', 'putBack'] as const) {
      const { dispatchId } = await suite.bench.accept();
      const ticket = await drawFrom(worker);
      await suite.bench.redis.del(`${suite.bench.queueKey(dispatchId)}:lock`);
      await ticket[end]();
    }
    assert.equal(worker.errors.length, 2);
    assert.match(worker.errors.map(String).join('\n'), /lock/i);
  });

  it('neither throws nor harms when a drawn ticket is gone', async () => {
    const worker = await suite.openWorker();
    for (const end of ['useUp', 'putBack'] as const) {
      const { dispatchId } = await suite.bench.accept();
      const ticket = await drawFrom(worker);
      await suite.bench.redis.del(
        suite.bench.queueKey(dispatchId),
        `${suite.bench.queueKey(dispatchId)}:lock`,
      );
      await ticket[end]();
    }
    assert.equal(worker.errors.length, 2);
  });

  it('brings the ticket of a dead worker back after its lock, however many die with it', async () => {
    const { dispatchId } = await suite.bench.accept();
    for (let death = 0; death < 2; death += 1) {
      const dying = await suite.openWorker({ lockMs: 150 });
      const ticket = await waitFor(() => dying.drawer.draw(), { what: 'the ticket to come back' });
      assert.equal(ticket.dispatchId, dispatchId);
      // Death: nothing renews the lock any more, nothing puts the ticket back.
      await dying.close();
    }
    const heir = await suite.openWorker({ lockMs: 150 });
    const ticket = await waitFor(() => heir.drawer.draw(), { what: 'the ticket to come back' });
    assert.equal(ticket.dispatchId, dispatchId);
    await ticket.useUp();
    assert.equal(await heir.tickets.countAll(), 0);
  });

  it('keeps the ticket of a worker that lives, however long it takes over it', async () => {
    const lockMs = 150;
    const [holder, other] = await Promise.all([suite.openWorker({ lockMs }), suite.openWorker({ lockMs })]);
    await suite.bench.accept();
    const ticket = await drawFrom(holder);
    const endMs = performance.now() + 4 * lockMs;
    await waitFor(
      async () => {
        assert.equal(await other.drawer.draw(), undefined);
        return performance.now() > endMs;
      },
      { what: 'four times the lock' },
    );
    await ticket.useUp();
    assert.deepEqual(holder.errors, []);
  });

  it('says of a ticket of another version, or of a corrupt one, that it cannot be read', async () => {
    const worker = await suite.openWorker();
    const { dispatchId } = await suite.bench.accept();
    const corruptions = ['{"v":2}', '{}', '{"v":1,"x":1}', '[]', 'null', '{"v":'];
    for (const data of corruptions) {
      await suite.bench.redis.hset(suite.bench.queueKey(dispatchId), 'data', data);
      const ticket = await drawFrom(worker);
      assert.equal(ticket.isReadable, false, data);
      assert.equal(ticket.dispatchId, dispatchId);
      await ticket.putBack();
    }
    await suite.bench.redis.hset(suite.bench.queueKey(dispatchId), 'data', '{"v":1}');
    assert.equal((await drawFrom(worker)).isReadable, true);
    assert.deepEqual(worker.errors, []);
  });
});

async function drawFrom({ drawer }: TestWorker) {
  const ticket = await drawer.draw();
  assert.ok(ticket, 'no ticket was drawn');
  return ticket;
}
