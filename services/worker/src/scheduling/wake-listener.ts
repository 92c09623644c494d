import { wakeChannel, type WakeReason } from '@diq/queue/scheduling/wakes.ts';
import { isCluster, type RedisConnection } from '@diq/redis/connection.ts';

export interface WakeListener {
  /** @param by the process of the worker that it is from, where a worker sent it */
  onWake(keySpace: string, reason: WakeReason, by: string | undefined): void;
  /** A link to what a machine action brought is asked for. */
  onLinkAsked(keySpace: string): void;
  /** A read of this tenant's Defender is asked for. */
  onReadAsked(tenantId: string): void;
  /** Messages may have been lost: the connection was away. Called at its start too. */
  onGap(): void;
  onError(error: unknown): void;
}

/** @param redis a connection of its own: one that subscribes can do nothing else */
export function listenForWakes(
  redis: RedisConnection,
  { onWake, onLinkAsked, onReadAsked, onGap, onError }: WakeListener,
): void {
  redis.on('message', (channel: string, message: string) => {
    const [, reason, keySpace, by] = /^(work|free|call|link|read) (\S+)(?: (\S+))?$/.exec(message) ?? [];
    if (channel !== wakeChannel || !reason || !keySpace) return;
    if (reason === 'link') onLinkAsked(keySpace);
    else if (reason === 'read') onReadAsked(keySpace);
    else onWake(keySpace, reason as WakeReason, by);
  });
  // Subscribing again as ioredis does it rejects a promise that no code holds, where that connection is lost too.
  if (!isCluster(redis)) redis.options.autoResubscribe = false;
  const subscribe = () => void redis.subscribe(wakeChannel).then(onGap, onError);
  redis.on('ready', subscribe);
  // In a Redis Cluster the node that it is subscribed to may be gone.
  redis.on('-node', onGap);
  if (redis.status === 'ready') subscribe();
}
