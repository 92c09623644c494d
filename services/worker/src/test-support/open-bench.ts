import { randomUUID } from 'node:crypto';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { createRequestIntake } from '@diq/queue/admission/accept-requests.ts';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { queueName, storeKeys } from '@diq/queue/store-keys.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import {
  closeRedis,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { openTestWorker, type TestWorker } from './open-test-worker.ts';
import type { TestWorkerOptions } from './test-worker-parts.ts';
import { captureLog } from './capture-log.ts';

/** A key space of its own with an intake in front and any number of workers behind. */
export interface Bench {
  readonly keySpace: string;
  readonly keys: ReturnType<typeof storeKeys>;
  readonly redis: RedisConnection;
  /** Records one request of this caller. @returns its id and its task's */
  accept(item?: Partial<InvestigationItem>, caller?: string): Promise<{ requestId: string; taskId: string }>;
  /** The request as its caller would read it. */
  read(requestId: string): Promise<RequestDocument>;
  /** Ends all holds and what a 429 lowered the limit to without waiting for it, as time would. */
  endHolds(): Promise<void>;
  /** Key of the BullMQ queue: a list, a set, a job. */
  queueKey(name: string): string;
  openWorker(options: TestWorkerOptions): Promise<TestWorker>;
  close(): Promise<void>;
}

let machines = 0;

/** A machine id that no other test has. */
export function newMachineId(): string {
  machines += 1;
  return machines.toString(16).padStart(40, '0');
}

export async function openBench(url: string): Promise<Bench> {
  const keySpace = `diq:{${randomUUID()}/initiateInvestigation}`;
  const keys = storeKeys(keySpace);
  const { logger } = captureLog();
  const redis = openFailFastConnection({ address: parseRedisUrl(url), name: 'bench', logger });
  await waitUntilReady(redis, 2_000);
  const jobs = createJobQueue(redis, keySpace, () => undefined);
  const intake = createRequestIntake({ redis, keySpace, jobs, retentionMs: 3_600_000 });
  const reader = createRequestReader(redis, keySpace);
  const workers: TestWorker[] = [];

  return {
    keySpace,
    keys,
    redis,
    async accept(item = {}, caller) {
      const whole = { machineId: newMachineId(), comment: 'why', priority: 'medium' as const, ...item };
      const { id } = await intake.acceptOne(whole, { nowMs: Date.now(), caller });
      return { requestId: id, taskId: (await reader.findRequest(id))?.taskId ?? '' };
    },
    async read(requestId) {
      const found = await reader.findRequest(requestId);
      if (!found) throw new Error(`no request ${requestId}`);
      return found.document;
    },
    async endHolds() {
      await redis.del(`${keySpace}:holds`);
      const estimate = `${keySpace}:ledger:estimate`;
      const lowered = (await redis.hkeys(estimate)).filter((field) => field !== 'proven');
      if (lowered.length > 0) await redis.hdel(estimate, ...lowered);
    },
    queueKey: (name) => `${keySpace}:${queueName}:${name}`,
    async openWorker(options) {
      const worker = await openTestWorker({ ...options, url, keySpace });
      workers.push(worker);
      return worker;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
      await jobs.close();
      await closeRedis(redis);
    },
  };
}
