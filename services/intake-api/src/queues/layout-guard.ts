import { claimLayout, LayoutError } from '@diq/queue/layout.ts';
import { onServerReady, type RedisConnection } from '@diq/redis/connection.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Queue } from '@diq/tenants/tenant.ts';

export type LayoutGuard = ReturnType<typeof createLayoutGuard>;

/**
 * Keeps this version out of queues whose data another version wrote. Each queue's layout is claimed before it is worked with
 * first, and again after each new connection, as after a fail-over or a restored backup.
 *
 * @param options.onForeign another version holds this queue; called once, until it is this version's again
 */
export function createLayoutGuard(options: {
  redis: RedisConnection;
  logger: Logger;
  onForeign: (error: LayoutError, foreign: readonly Queue[]) => void;
}) {
  const { redis, logger, onForeign } = options;
  const claims = new Map<string, Promise<void>>();
  const claimed = new Map<string, Queue>();
  const foreign = new Map<string, Queue>();

  /** @throws LayoutError; and what Redis refuses it for, after which it is tried again */
  function claim(queue: Queue): Promise<void> {
    const { keySpace } = queue;
    const known = claims.get(keySpace);
    if (known) return known;
    const made = claimOf(queue);
    // One that was refused is asked again: an operator mends it while the service runs.
    const asked = made.finally(() => claims.delete(keySpace));
    claims.set(keySpace, asked);
    return asked;
  }

  async function claimOf(queue: Queue): Promise<void> {
    try {
      await claimLayout(redis, queue.keySpace);
    } catch (error) {
      if (error instanceof LayoutError) noteForeign(queue, error);
      throw error;
    }
    claimed.set(queue.keySpace, queue);
    foreign.delete(queue.keySpace);
  }

  function noteForeign(queue: Queue, error: LayoutError): void {
    if (foreign.has(queue.keySpace)) return;
    foreign.set(queue.keySpace, queue);
    logger.error(
      { err: error, tenant: queue.tenant, operation: queue.operation },
      'another version holds the queue: not served',
    );
    onForeign(error, [...foreign.values()]);
  }

  onServerReady(redis, () => {
    const before = [...claimed.values()];
    claimed.clear();
    // What Redis refuses it for is said by whatever asks Redis next.
    for (const queue of before) claim(queue).catch(() => undefined);
  });

  return {
    claim,
    /** Whether this version works with the queue: nothing has to be asked. */
    isClaimed: ({ keySpace }: Queue): boolean => claimed.has(keySpace),
    /** Whether another version holds it, as far as it was asked for. */
    isForeign: ({ keySpace }: Queue): boolean => foreign.has(keySpace),
    foreign: (): Queue[] => [...foreign.values()],
  };
}
