import { setMaxListeners } from 'node:events';
import { DelayedError, Worker, type Job } from 'bullmq';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { callbackQueueName } from '@diq/queue/store-keys.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { runScriptsWhenFull } from '@diq/redis/script.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import { targetOfPayload } from './callback-queue.ts';
import { UnknownSourceError } from './callback-store.ts';
import type { DeliverCallback } from './deliver-callback.ts';

/** What is left to do after the grace: hand back some jobs. */
const handBackMs = 1_500;

/**
 * BullMQ's part in delivering: jobs one by one, or put back for later.
 *
 * @returns what ends it: no more jobs are taken; attempts under way may end within the grace and are handed back after it
 */
export function startCallbackWorker(options: {
  /** Waits for Redis to come back; see `openBlockingConnection`. */
  redis: RedisConnection;
  keySpace: string;
  deliver: DeliverCallback;
  concurrency: number;
  /** After this long without a sign of life of the intake that delivers it, a job goes back to the queue. */
  lockMs: number;
  closeGraceMs: number;
  onError: (error: Error) => void;
  logger: Pick<Logger, 'debug' | 'error'>;
}): () => Promise<void> {
  const { redis, keySpace, deliver, concurrency, lockMs, closeGraceMs, onError, logger } = options;
  const closing = new AbortController();
  // One listener for each attempt under way.
  setMaxListeners(0, closing.signal);

  // Waiting for another attempt is BullMQ's delay, which uses up none of its own attempts.
  async function serve(job: Job, token?: string): Promise<void> {
    const target = targetOfPayload(job.data);
    const step = await deliver({ target, dueAtMs: job.timestamp, signal: closing.signal });
    if (step.kind === 'done') return;
    await job.moveToDelayed(Date.now() + step.delayMs, token);
    throw new DelayedError();
  }

  runScriptsWhenFull(redis);
  const worker = new Worker(callbackQueueName, serve, {
    connection: redis,
    prefix: keySpace,
    skipVersionCheck: true,
    concurrency,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    // An intake that died with it in hand is no fault of the callback.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  });
  worker.on('error', onError);
  // The attempt could not even be made or recorded; BullMQ repeats it.
  worker.on('failed', (job, error) => {
    // An outage is in the lines of the connections, and a tenant that this intake does not know yet is no fault.
    const isElsewhere = error instanceof UnknownSourceError;
    const level = isRedisTrouble(error) || isElsewhere ? 'debug' : 'error';
    logger[level]({ callback: job?.id, err: error }, 'callback could not be attempted');
  });

  return async () => {
    if (redis.status !== 'ready') {
      // Nothing can be handed back, and BullMQ would wait for Redis for ever: attempts end, and what was under way
      // goes back to the queue by itself when its lock has run out.
      closing.abort();
      return await worker.close(true);
    }
    const grace = setTimeout(() => closing.abort(), closeGraceMs);
    try {
      await within(worker.close(), closeGraceMs + handBackMs);
    } catch {
      // Redis went away meanwhile, with the same outcome.
      closing.abort();
    } finally {
      clearTimeout(grace);
    }
  };
}
