import assert from 'node:assert/strict';
import {
  closeRedis,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { createRequestIntake } from '../admission/accept-requests.ts';
import type { RequestIntake } from '../admission/accept-requests.ts';
import { createTaskStore } from '../tasks/task-store.ts';
import type { Task, TaskStore } from '../tasks/task-store.ts';
import { createResultStore } from '../results/result-store.ts';
import type { ResultStore } from '../results/result-store.ts';
import { createRequestReader } from '../requests/request-reader.ts';
import type { RequestReader } from '../requests/request-reader.ts';
import type { StoredRequest } from '../requests/stored-request.ts';
import { createJobQueue } from '../scheduling/job-queue.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';

export const keySpace = 'test:{queue}';
export const retentionMs = 60_000;
/** Of results of these tests. */
export const followRules = { forMs: 40_000, firstReadInMs: 0 };
/** When requests of these tests arrive unless they say otherwise. */
export const arrivedAtMs = Date.parse('2026-01-24T12:00:00Z');

/** Everything that this package makes, on one connection as the intake has it. */
export interface TestStore {
  readonly redis: RedisConnection;
  readonly intake: RequestIntake;
  readonly jobs: JobQueue;
  readonly tasks: TaskStore;
  /** The same, where results are followed. */
  readonly following: TaskStore;
  readonly results: ResultStore;
  readonly reader: RequestReader;
  /** The request with this id, which is there. */
  request(id: string): Promise<StoredRequest>;
  /** The task of the request with this id. */
  taskOf(requestId: string): Promise<Task>;
  /** All keys but the queue's own, with their contents, for comparison. */
  dump(): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** A machine id by number. */
export function machine(n: number): string {
  return n.toString(16).padStart(40, '0');
}

/** A valid item for machine 1, with other fields as given. */
export function item(fields: Partial<InvestigationItem> = {}): InvestigationItem {
  return { machineId: machine(1), comment: 'beacon seen', priority: 'medium', ...fields };
}

export async function openTestStore(url: string): Promise<TestStore> {
  const redis = openFailFastConnection({
    address: parseRedisUrl(url),
    name: 'test-store',
    logger: { info() {}, warn() {} },
  });
  await waitUntilReady(redis, 5_000);
  const errors: Error[] = [];
  const jobs = createJobQueue(redis, keySpace, (error) => errors.push(error));
  const tasks = createTaskStore(redis, keySpace, retentionMs);
  const following = createTaskStore(redis, keySpace, retentionMs, undefined, followRules);
  const reader = createRequestReader(redis, keySpace);

  async function request(id: string): Promise<StoredRequest> {
    const found = await reader.findRequest(id);
    assert.ok(found, `request ${id} is there`);
    return found;
  }
  /** A large hash is dumped in whatever order its table happens to have. */
  async function contentOf(name: string): Promise<unknown> {
    if ((await redis.type(name)) === 'hash') return redis.hgetall(name);
    return (await redis.dumpBuffer(name))?.toString('hex');
  }
  return {
    redis,
    jobs,
    tasks,
    following,
    results: createResultStore(redis, keySpace, retentionMs),
    reader,
    intake: createRequestIntake({ redis, keySpace, jobs, retentionMs }),
    request,
    async taskOf(requestId) {
      const task = await tasks.find((await request(requestId)).taskId);
      assert.ok(task, `request ${requestId} has a task`);
      return task;
    },
    async dump() {
      const all = await redis.keys(`${keySpace}:*`);
      const names = all.filter((name) => !name.startsWith(`${keySpace}:queue:`)).toSorted();
      const contents = await Promise.all(names.map(contentOf));
      return Object.fromEntries(names.map((name, i) => [name, contents[i]]));
    },
    async close() {
      await jobs.close();
      await closeRedis(redis);
      assert.deepEqual(errors, []);
    },
  };
}
