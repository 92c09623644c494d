import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { callbackQueueName } from '@diq/queue/store-keys.ts';
import { nameOfTarget, payloadOf, type CallbackTarget } from './callback-target.ts';

/** The BullMQ queue of callbacks. One job for each target, however often it is added. */
export interface CallbackQueue {
  add(targets: readonly CallbackTarget[]): Promise<void>;
  /** Jobs that are not done: ready, delayed or active. */
  countPending(): Promise<number>;
  close(): Promise<void>;
}

/** After an attempt that could not even be recorded, as when Redis is away; failures of receivers have a plan of their own. */
const troubleDelayMs = 30_000;
/** For 24 hours. */
const troubleAttempts = (24 * 3_600_000) / troubleDelayMs;

export function createCallbackQueue(
  redis: Redis,
  keySpace: string,
  onError: (error: Error) => void,
): CallbackQueue {
  // As for the queue of jobs: asked for its version while Redis is away, a queue would refuse everything for good.
  Object.assign(redis.options, { skipVersionCheck: true });
  const queue = new Queue(callbackQueueName, {
    connection: redis,
    prefix: keySpace,
    skipWaitingForReady: true,
    streams: { events: { maxLen: 1_000 } },
  });
  queue.on('error', onError);

  return {
    async add(targets) {
      await queue.addBulk(
        targets.map((target) => ({
          name: 'callback',
          data: payloadOf(target),
          opts: {
            jobId: nameOfTarget(target),
            attempts: troubleAttempts,
            backoff: { type: 'fixed', delay: troubleDelayMs },
            // A job that is kept would keep further news of the same target out.
            removeOnComplete: true,
            removeOnFail: true,
          },
        })),
      );
    },
    async countPending() {
      const counts = await queue.getJobCounts('waiting', 'delayed', 'active', 'prioritized');
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    close: () => queue.close(),
  };
}
