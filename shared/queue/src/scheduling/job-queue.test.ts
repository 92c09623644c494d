import assert from 'node:assert/strict';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Priority } from '@diq/contracts/priority.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { watchCommands } from '@diq/testing/watch-commands.ts';
import { defaultOrderRules } from './order.ts';
import { emptyOrder, nextPlace } from '../test-support/order-model.ts';
import { queueName } from '../store-keys.ts';
import { arrivedAtMs, keySpace, openTestStore } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const minuteMs = 60_000;
const token = 'claimer';
const line = emptyOrder(defaultOrderRules, arrivedAtMs);
const orderJobPriority = (nowMs: number, priority: Priority) =>
  nextPlace(line, defaultOrderRules, { priority, flow: '', nowMs }).jobPriority;
const job = (taskId: string, jobPriority = 1) => ({ taskId, jobPriority });

describe('job queue', () => {
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

  const claim = () => worker.getNextJob(token, { block: false });
  async function claimAll(): Promise<(string | undefined)[]> {
    const claimed = [];
    for (let added = await claim(); added; added = await claim()) claimed.push(added.id);
    return claimed;
  }

  describe('the order', () => {
    it('is by job priority, and first come first served within a job priority', async () => {
      await store.jobs.add([job('c', 7), job('a', 3), job('d', 7), job('e', 2_097_151)]);
      await store.jobs.add([job('b', 3), job('first', 1)]);
      assert.deepEqual(await claimAll(), ['first', 'a', 'b', 'c', 'd', 'e']);
    });

    it('puts the more urgent first, and before it what has waited for longer than the head start', async () => {
      const soon = arrivedAtMs + 73 * 60 * minuteMs;
      await store.jobs.add([
        job('low', orderJobPriority(soon, 'low')),
        job('medium', orderJobPriority(soon, 'medium')),
        job('critical', orderJobPriority(soon, 'critical')),
        job('low, 73 hours older', orderJobPriority(arrivedAtMs, 'low')),
      ]);
      assert.deepEqual(await claimAll(), ['critical', 'low, 73 hours older', 'medium', 'low']);
    });

    it('lets an urgent job that comes last be claimed next', async () => {
      await store.jobs.add([job('a', 5), job('b', 5)]);
      assert.equal((await claim())?.id, 'a');
      await store.jobs.add([job('urgent', 1)]);
      assert.deepEqual(await claimAll(), ['urgent', 'b']);
    });

    it('keeps the place of a job that is put back: in front of its job priority', async () => {
      await store.jobs.add([job('before', 3), job('a', 5), job('b', 5)]);
      assert.equal((await claim())?.id, 'before');
      for (let time = 0; time < 3; time += 1) {
        const claimed = await claim();
        assert.equal(claimed?.id, 'a');
        await claimed.moveToWait(token);
        assert.deepEqual(await store.jobs.positions(['a', 'b']), [1, 2]);
      }
      await store.jobs.add([job('ahead', 4)]);
      assert.deepEqual(await claimAll(), ['ahead', 'a', 'b']);
    });
  });

  it('carries a versioned pointer to the worker, and nothing else', async () => {
    await store.jobs.add([job('a')]);
    const added = await claim();
    assert.deepEqual(added?.data, { v: 1 });
  });

  it('leaves a job that is there as it is, whether it waits or is claimed', async () => {
    await store.jobs.add([job('a', 5), job('b', 5)]);
    await store.jobs.add([job('b', 1), job('a', 9)]);
    assert.deepEqual(await store.jobs.positions(['a', 'b']), [1, 2]);
    const claimed = await claim();
    await store.jobs.add([job('a', 5)]);
    assert.equal(await store.jobs.countReady(), 1);
    await claimed?.moveToWait(token);
    assert.deepEqual(await claimAll(), ['a', 'b']);
  });

  it('counts what can be claimed, and what is claimed with it', async () => {
    const counts = async () => [await store.jobs.countReady(), await store.jobs.countAll()];
    assert.deepEqual(await counts(), [0, 0]);
    await store.jobs.add([job('a'), job('b')]);
    assert.deepEqual(await counts(), [2, 2]);
    await claim();
    assert.deepEqual(await counts(), [1, 2]);
  });

  it('tells the position of each job that waits, and of no other', async () => {
    await store.jobs.add([job('b', 2), job('a', 1), job('c', 3)]);
    assert.deepEqual(await store.jobs.positions(['c', 'nowhere', 'b', 'a']), [3, undefined, 2, 1]);
    await claim();
    assert.deepEqual(await store.jobs.positions(['c', 'a']), [2, undefined]);
    assert.deepEqual(await store.jobs.positions([]), []);
  });

  it('knows which tasks have a job, waiting or claimed', async () => {
    await store.jobs.add([job('a'), job('b')]);
    await claim();
    assert.deepEqual(await store.jobs.have(['a', 'nowhere', 'b']), [true, false, true]);
    assert.deepEqual(await store.jobs.have([]), []);
  });

  it('takes out a job that waits, leaves one that a worker holds, and minds no unknown one', async () => {
    await store.jobs.add([job('held'), job('waits')]);
    await claim();
    for (const id of ['held', 'waits', 'nowhere']) await store.jobs.remove(id);
    assert.deepEqual(await store.jobs.have(['held', 'waits']), [true, false]);
  });

  it('takes out hundreds at once, with all that is theirs, and leaves those that a worker holds', async () => {
    const ids = Array.from({ length: 600 }, (_, i) => `job-${i}`);
    await store.jobs.add([job('held', 1), ...ids.map((id) => job(id, 2)), job('stays', 3)]);
    await claim();
    await store.jobs.removeAll(['held', 'nowhere', ...ids]);
    assert.deepEqual(await store.jobs.have(['held', 'stays']), [true, true]);
    const left = await redis.client.keys(`${keySpace}:queue:job-*`);
    assert.deepEqual(left, []);
    assert.deepEqual(await claimAll(), ['stays']);
  });

  it('takes out also a job that left the order without being claimed: one of a worker that died', async () => {
    await store.jobs.add([job('came-back', 1), job('stays', 2)]);
    // Where BullMQ puts a job whose lock is not renewed.
    await redis.client.zrem(`${keySpace}:queue:prioritized`, 'came-back');
    await redis.client.rpush(`${keySpace}:queue:wait`, 'came-back');
    await store.jobs.removeAll(['came-back']);
    assert.deepEqual(await store.jobs.have(['came-back', 'stays']), [false, true]);
    assert.deepEqual(await claimAll(), ['stays']);
  });

  it('adds the jobs of one chunk in one transaction, so that Redis makes them safe as one', async () => {
    const watch = await watchCommands(redis.client);
    await store.jobs.add([job('a'), job('b'), job('c')]);
    await watch.untilNow();
    watch.close();
    const seen = watch.seen.map(([name = '']) => name.toLowerCase());
    const begun = seen.indexOf('multi');
    assert.ok(begun >= 0);
    const within = seen.slice(begun + 1, seen.indexOf('exec'));
    assert.equal(within.filter((name) => name.startsWith('eval')).length, 3, seen.join(' '));
  });

  it('adds more jobs than one transaction takes, in their order', async () => {
    const ids = Array.from({ length: 1_100 }, (_, i) => `job-${i}`);
    await store.jobs.add(ids.map((id) => job(id)));
    assert.deepEqual(
      await store.jobs.positions(ids),
      ids.map((_, i) => i + 1),
    );
  });

  it('adds many at once after Redis forgot its scripts', async () => {
    await store.jobs.add([job('a'), job('b')]);
    await redis.client.script('FLUSH');
    await store.jobs.add([job('c'), job('d')]);
    assert.deepEqual(await claimAll(), ['a', 'b', 'c', 'd']);
  });

  it('adds many at once after Redis refused the first transaction of a connection', async () => {
    await redis.client.call('ACL', 'SETUSER', 'default', '-eval');
    try {
      await assert.rejects(store.jobs.add([job('a'), job('b')]), /EXECABORT|NOPERM/);
    } finally {
      await redis.client.call('ACL', 'SETUSER', 'default', '+eval');
    }
    await store.jobs.add([job('a'), job('b')]);
    assert.deepEqual(await claimAll(), ['a', 'b']);
  });

  it('rejects when Redis cannot be asked', async () => {
    const other = await openTestStore(redis.url);
    other.redis.disconnect();
    await assert.rejects(other.jobs.add([job('a')]));
    await assert.rejects(other.jobs.positions(['a']));
    await assert.rejects(other.jobs.have(['a']));
    await assert.rejects(other.jobs.countAll());
    await other.close();
  });
});
