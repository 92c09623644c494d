import { createWriteProbe } from '@diq/queue/operations/write-probe.ts';
import { serverOf } from '@diq/redis/ask-owner.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { describeRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { createReplication } from '@diq/redis/replication.ts';
import type { Queue } from '@diq/tenants/tenant.ts';

/** Of how many queues new work can be recorded, and why not of the others. */
export interface QueueReach {
  readonly served: number;
  /** By server of a Redis Cluster; one at the most elsewhere. `why` is the end of a sentence that begins with Redis. */
  readonly refused: readonly { readonly why: string; readonly queues: readonly string[] }[];
}

/** Writes one small key on each server that holds queues. */
export function createQueueReach(
  redis: RedisConnection,
  queues: () => readonly Pick<Queue, 'tag' | 'keySpace'>[],
  waitReplicas: number,
) {
  return async (): Promise<QueueReach> => {
    const byServer = new Map<string, Pick<Queue, 'tag' | 'keySpace'>[]>();
    for (const queue of queues()) {
      const server = serverOf(redis, queue.keySpace);
      const onIt = byServer.get(server) ?? [];
      onIt.push(queue);
      byServer.set(server, onIt);
    }
    const looks = [...byServer.values()].map(async ([first, ...others]) => {
      if (!first) return { served: 0 };
      const tags = [first, ...others].map(({ tag }) => tag);
      const write = createWriteProbe(redis, first.keySpace, { evenFull: false });
      return createReplication(redis, first.keySpace, waitReplicas)
        .replicated(write)
        .then(
          () => ({ served: tags.length }),
          (error: unknown) => ({ why: describeRedisTrouble(error), queues: tags }),
        );
    });
    const found = await Promise.all(looks);
    return {
      served: found.reduce((sum, one) => sum + ('served' in one ? one.served : 0), 0),
      refused: found.flatMap((one) => ('why' in one ? [one] : [])),
    };
  };
}
