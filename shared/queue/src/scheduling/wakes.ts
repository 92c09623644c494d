import type { RedisConnection } from '@diq/redis/connection.ts';

/** On it a queue is named that something was done for. In a Redis Cluster a message reaches the subscribers of all nodes. */
export const wakeChannel = 'diq:wakes';

/**
 * `work`: a job was added. `free`: a hold was ended, or something else that kept calls from being made. `call`: a worker changed
 * the ledger, the scripts of which say so with the worker's process id: a call was made, answered or given back.
 */
export type WakeReason = 'work' | 'free' | 'call';

type OwnReason = Exclude<WakeReason, 'call'>;

/** Messages of one process on one queue within this time are one: more of them would have no further effect. */
const togetherMs = 10;

/**
 * Wakes the workers of a queue. Nothing waits for it or fails by it: a message that is lost is made up for by the slow
 * sweep over all queues.
 */
export function createWake(redis: Pick<RedisConnection, 'publish'>, keySpace: string) {
  let silentUntilMs = -Infinity;
  let later: { timer: NodeJS.Timeout; reason: OwnReason } | undefined;

  function publish(reason: OwnReason): void {
    silentUntilMs = performance.now() + togetherMs;
    redis.publish(wakeChannel, `${reason} ${keySpace}`).catch(() => undefined);
  }

  return (reason: OwnReason): void => {
    if (later) {
      if (reason === 'free') later.reason = reason;
      return;
    }
    const waitMs = silentUntilMs - performance.now();
    if (waitMs <= 0) return publish(reason);
    const timer = setTimeout(() => {
      const { reason: last = reason } = later ?? {};
      later = undefined;
      publish(last);
    }, waitMs);
    later = { timer, reason };
  };
}
