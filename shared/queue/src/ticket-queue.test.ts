import assert from 'node:assert/strict';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Priority } from '@diq/contracts/priority.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { defaultOrderRules } from './order.ts';
import { emptyLine, nextPlace } from './test-support/order-model.ts';
import { queueName } from './store-keys.ts';
import { arrivedAtMs, keySpace, openTestStore } from './test-support/test-store.ts';
import { useTestStore } from './test-support/use-test-store.ts';

const minuteMs = 60_000;
const token = 'drawer';
const line = emptyLine(defaultOrderRules, arrivedAtMs);
const orderRank = (nowMs: number, priority: Priority) =>
  nextPlace(line, defaultOrderRules, { priority, flow: '', nowMs }).rank;
const ticket = (dispatchId: string, rank = 1) => ({ dispatchId, rank });

describe('ticket queue', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let worker: Worker;
  beforeEach(async () => {
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    worker = new Worker(queueName, null, { connection, prefix: keySpace, autorun: false });
    worker.once('closed', () => connection.disconnect());
  });
  afterEach(async () => {
    await worker.close();
  });

  const draw = () => worker.getNextJob(token, { block: false });
  async function drawAll(): Promise<(string | undefined)[]> {
    const drawn = [];
    for (let job = await draw(); job; job = await draw()) drawn.push(job.id);
    return drawn;
  }

  describe('the order', () => {
    it('is by rank, and first come first served within a rank', async () => {
      await store.tickets.add([ticket('c', 7), ticket('a', 3), ticket('d', 7), ticket('e', 2_097_151)]);
      await store.tickets.add([ticket('b', 3), ticket('first', 1)]);
      assert.deepEqual(await drawAll(), ['first', 'a', 'b', 'c', 'd', 'e']);
    });

    it('puts the more urgent first, and before it what has waited for longer than the head start', async () => {
      const soon = arrivedAtMs + 5 * 60 * minuteMs;
      await store.tickets.add([
        ticket('low', orderRank(soon, 'low')),
        ticket('medium', orderRank(soon, 'medium')),
        ticket('critical', orderRank(soon, 'critical')),
        ticket('low, five hours older', orderRank(arrivedAtMs, 'low')),
      ]);
      assert.deepEqual(await drawAll(), ['critical', 'low, five hours older', 'medium', 'low']);
    });

    it('lets an urgent ticket that comes last be drawn next', async () => {
      await store.tickets.add([ticket('a', 5), ticket('b', 5)]);
      assert.equal((await draw())?.id, 'a');
      await store.tickets.add([ticket('urgent', 1)]);
      assert.deepEqual(await drawAll(), ['urgent', 'b']);
    });

    it('keeps the place of a ticket that is put back: in front of its rank', async () => {
      await store.tickets.add([ticket('before', 3), ticket('a', 5), ticket('b', 5)]);
      assert.equal((await draw())?.id, 'before');
      for (let time = 0; time < 3; time += 1) {
        const drawn = await draw();
        assert.equal(drawn?.id, 'a');
        await drawn.moveToWait(token);
        assert.deepEqual(await store.tickets.positions(['a', 'b']), [1, 2]);
      }
      await store.tickets.add([ticket('ahead', 4)]);
      assert.deepEqual(await drawAll(), ['ahead', 'a', 'b']);
    });
  });

  it('carries a versioned pointer to the worker, and nothing else', async () => {
    await store.tickets.add([ticket('a')]);
    const job = await draw();
    assert.deepEqual(job?.data, { v: 1 });
  });

  it('leaves a ticket that is there as it is, whether it waits or is drawn', async () => {
    await store.tickets.add([ticket('a', 5), ticket('b', 5)]);
    await store.tickets.add([ticket('b', 1), ticket('a', 9)]);
    assert.deepEqual(await store.tickets.positions(['a', 'b']), [1, 2]);
    const drawn = await draw();
    await store.tickets.add([ticket('a', 5)]);
    assert.equal(await store.tickets.countReady(), 1);
    await drawn?.moveToWait(token);
    assert.deepEqual(await drawAll(), ['a', 'b']);
  });

  it('counts what can be drawn, and what is drawn with it', async () => {
    const counts = async () => [await store.tickets.countReady(), await store.tickets.countAll()];
    assert.deepEqual(await counts(), [0, 0]);
    await store.tickets.add([ticket('a'), ticket('b')]);
    assert.deepEqual(await counts(), [2, 2]);
    await draw();
    assert.deepEqual(await counts(), [1, 2]);
  });

  it('tells the position of each ticket that waits, and of no other', async () => {
    await store.tickets.add([ticket('b', 2), ticket('a', 1), ticket('c', 3)]);
    assert.deepEqual(await store.tickets.positions(['c', 'nowhere', 'b', 'a']), [3, undefined, 2, 1]);
    await draw();
    assert.deepEqual(await store.tickets.positions(['c', 'a']), [2, undefined]);
    assert.deepEqual(await store.tickets.positions([]), []);
  });

  it('knows which dispatches have a ticket, waiting or drawn', async () => {
    await store.tickets.add([ticket('a'), ticket('b')]);
    await draw();
    assert.deepEqual(await store.tickets.have(['a', 'nowhere', 'b']), [true, false, true]);
    assert.deepEqual(await store.tickets.have([]), []);
  });

  it('takes out a ticket that waits, leaves one that somebody holds, and minds no unknown one', async () => {
    await store.tickets.add([ticket('held'), ticket('waits')]);
    await draw();
    for (const id of ['held', 'waits', 'nowhere']) await store.tickets.remove(id);
    assert.deepEqual(await store.tickets.have(['held', 'waits']), [true, false]);
  });

  it('takes out hundreds at once, with all that is theirs, and leaves those that somebody holds', async () => {
    const ids = Array.from({ length: 600 }, (_, i) => `ticket-${i}`);
    await store.tickets.add([ticket('held', 1), ...ids.map((id) => ticket(id, 2)), ticket('stays', 3)]);
    await draw();
    await store.tickets.removeAll(['held', 'nowhere', ...ids]);
    assert.deepEqual(await store.tickets.have(['held', 'stays']), [true, true]);
    const left = await redis.client.keys(`${keySpace}:queue:ticket-*`);
    assert.deepEqual(left, []);
    assert.deepEqual(await drawAll(), ['stays']);
  });

  it('takes out also a ticket that left the order without being drawn: one of a worker that died', async () => {
    await store.tickets.add([ticket('came-back', 1), ticket('stays', 2)]);
    // Where BullMQ puts what nobody renews the lock of.
    await redis.client.zrem(`${keySpace}:queue:prioritized`, 'came-back');
    await redis.client.rpush(`${keySpace}:queue:wait`, 'came-back');
    await store.tickets.removeAll(['came-back']);
    assert.deepEqual(await store.tickets.have(['came-back', 'stays']), [false, true]);
    assert.deepEqual(await drawAll(), ['stays']);
  });

  it('adds the tickets of one chunk in one transaction, so that Redis makes them safe as one', async () => {
    const monitor = await redis.client.monitor();
    const seen: string[] = [];
    monitor.on('monitor', (_time, [name]: string[]) => seen.push(String(name).toLowerCase()));
    await store.tickets.add([ticket('a'), ticket('b'), ticket('c')]);
    await waitFor(async () => seen.includes('exec'), { what: 'the end of the transaction' });
    monitor.disconnect();
    const begun = seen.indexOf('multi');
    assert.ok(begun >= 0);
    const within = seen.slice(begun + 1, seen.indexOf('exec'));
    assert.equal(within.filter((name) => name.startsWith('eval')).length, 3, seen.join(' '));
  });

  it('adds more tickets than one transaction takes, in their order', async () => {
    const ids = Array.from({ length: 1_100 }, (_, i) => `ticket-${i}`);
    await store.tickets.add(ids.map((id) => ticket(id)));
    assert.deepEqual(
      await store.tickets.positions(ids),
      ids.map((_, i) => i + 1),
    );
  });

  it('rejects when Redis cannot be asked', async () => {
    const other = await openTestStore(redis.url);
    other.redis.disconnect();
    await assert.rejects(other.tickets.add([ticket('a')]));
    await assert.rejects(other.tickets.positions(['a']));
    await assert.rejects(other.tickets.have(['a']));
    await assert.rejects(other.tickets.countAll());
    await other.close();
  });
});
