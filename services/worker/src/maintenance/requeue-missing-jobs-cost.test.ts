import assert from 'node:assert/strict';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createJobQueue, type JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { createMissingJobCheck } from './requeue-missing-jobs.ts';

const keySpace = 'test:{check}';
const keys = storeKeys(keySpace);
const many = 100_000;
const searchSize = 2_500;
const pageSize = 250;
const idOf = (number: number) => `task-${String(number).padStart(6, '0')}`;

describe('job check while 100,000 tasks wait', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();
  let jobs: JobQueue;
  let look: () => Promise<unknown>;
  let connection: ReturnType<typeof openFailFastConnection>;
  before('write tasks and jobs as they stand in Redis', async () => {
    const { logger } = captureLog();
    connection = openFailFastConnection({ address: parseRedisUrl(redis.url), name: 'test', logger });
    await waitUntilReady(connection, 5_000);
    jobs = createJobQueue(connection, keySpace, () => {});
    await fill(0, many, Date.now() - 3_600_000, true);
  });
  beforeEach(() => {
    const tasks = createTaskStore(connection, keySpace, 60_000);
    look = createMissingJobCheck({ tasks, jobs, logger: captureLog().logger });
  });
  after(async () => {
    await jobs.close();
    await closeRedis(connection);
  });

  async function fill(from: number, to: number, atMs: number, withJobs: boolean): Promise<void> {
    for (let first = from; first < to; first += 5_000) {
      const pipeline = redis.client.pipeline();
      for (let n = first; n < Math.min(to, first + 5_000); n += 1) {
        const id = idOf(n);
        pipeline.zadd(keys.waiting, atMs, id);
        pipeline.hset(keys.task(id), 'machine', `machine-${n}`, 'jobPriority', 5, 'state', 'waiting');
        if (withJobs) pipeline.zadd(keys.jobOrder, n, id).hset(`${keys.jobs}${id}`, 'name', 'x');
      }
      await pipeline.exec();
    }
  }
  async function lose(...numbers: number[]): Promise<void> {
    for (const id of numbers.map(idOf)) {
      await redis.client.zrem(keys.jobOrder, id);
      await redis.client.del(`${keys.jobs}${id}`);
    }
  }
  /** Keys that were asked for whether they are there, by this server's own count. */
  async function looksUntil(done: () => Promise<boolean>, most: number) {
    const asked = async () => {
      const stats = await redis.client.info('commandstats');
      return Number(/cmdstat_exists:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const perLook: number[] = [];
    for (let i = 0; i < most && !(await done()); i += 1) {
      const before = await asked();
      await look();
      perLook.push((await asked()) - before);
    }
    return perLook;
  }
  const never = async () => false;
  const haveAll =
    (...numbers: number[]) =>
    async () =>
      (await jobs.have(numbers.map(idOf))).every(Boolean);

  it('asks for a page at each look, and for no more, while all is well', async () => {
    const perLook = await looksUntil(never, 5);
    assert.ok(Math.max(...perLook) <= pageSize, perLook.join());
  });

  it('finds what an intake that died has left at once, with one search', async () => {
    const lost = [many - 1, many - 2, many - 700];
    await lose(...lost);
    const perLook = await looksUntil(haveAll(...lost), 5);
    assert.ok(perLook.length <= 2, `${perLook.length} looks`);
    const [afterwards = 0] = await looksUntil(never, 1);
    assert.ok(afterwards <= pageSize, `${afterwards} after all were found`);
  });

  it('finds some far back in bounded time, and asks for a bounded number at each look meanwhile', async () => {
    const lost = [3, 40_000, 77_777];
    await lose(...lost);
    const perLook = await looksUntil(haveAll(...lost), 60);
    assert.ok(perLook.length <= many / searchSize + 2, `${perLook.length} looks`);
    assert.ok(Math.max(...perLook) <= searchSize + lost.length + 2 * pageSize, perLook.join());
  });

  it('neither restores nor searches what an intake is about to add jobs for', async () => {
    await fill(many, many + 20_000, Date.now() + 60_000, false);
    const perLook = await looksUntil(never, 4);
    assert.ok(Math.max(...perLook) <= pageSize, perLook.join());
    assert.deepEqual(await jobs.have([idOf(many), idOf(many + 19_999)]), [false, false]);
  });
});
