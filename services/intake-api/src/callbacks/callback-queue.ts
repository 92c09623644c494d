import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { addAll, openBullmqQueue } from '@diq/queue/scheduling/bullmq-queue.ts';
import { callbackQueueName } from '@diq/queue/store-keys.ts';

/** Whose callback it is. */
export type CallbackTarget = Omit<z.output<typeof callbackPayload>, 'v'>;

/**
 * What the queue of callbacks carries: whose news is due, and nothing secret. URL and content are read at the moment of
 * delivery. `v` rises with every change that an older process would misread.
 */
const callbackPayload = z.strictObject({
  v: z.literal(1),
  kind: z.enum(['request', 'batch', 'request_ended', 'batch_ended']),
  id: z.string(),
});

/** @throws ZodError for a payload of another version. */
export function targetOfPayload(data: unknown): CallbackTarget {
  const { kind, id } = callbackPayload.parse(data);
  return { kind, id };
}

/** One name for each target, fit for a BullMQ job id, in which no ':' may stand. */
export function nameOfTarget({ kind, id }: CallbackTarget): string {
  return `${kind}-${id}`;
}

/** After an attempt that could not even be recorded, as when Redis is away; failures of receivers have a plan of their own. */
const troubleDelayMs = 30_000;
/** For 24 hours. */
const troubleAttempts = (24 * 3_600_000) / troubleDelayMs;

export type CallbackQueue = ReturnType<typeof createCallbackQueue>;

/** The BullMQ queue of callbacks. One job for each target, however often it is added. */
export function createCallbackQueue(
  redis: RedisConnection,
  keySpace: string,
  onError: (error: Error) => void,
) {
  const queue = openBullmqQueue(redis, { name: callbackQueueName, prefix: keySpace, onError });

  return {
    async add(targets: readonly CallbackTarget[]): Promise<void> {
      await addAll(
        queue,
        targets.map((target) => ({
          name: 'callback',
          data: { v: 1, ...target } satisfies z.input<typeof callbackPayload>,
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
    /** Jobs that are not done: ready, delayed or active. */
    async countPending(): Promise<number> {
      const counts = await queue.getJobCounts('waiting', 'delayed', 'active', 'prioritized');
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    close: () => queue.close(),
  };
}
