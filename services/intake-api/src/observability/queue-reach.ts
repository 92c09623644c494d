import { createWriteProbe } from '@diq/queue/operations/write-probe.ts';
import { serverOf } from '@diq/redis/ask-owner.ts';
import { connectionTrouble, describeTroubleOn, type RedisConnection } from '@diq/redis/connection.ts';
import { createReplication } from '@diq/redis/replication.ts';
import { nameOf, type Queue } from '@diq/tenants/tenant.ts';

type HeldQueue = Pick<Queue, 'tenant' | 'operation' | 'keySpace'>;

/** Why a server takes no new work of the queues that it holds. */
export interface RefusingServer {
  /** The end of a sentence that begins with Redis. */
  readonly why: string;
  /** By name; none where there is one server only. */
  readonly queues: readonly string[];
}

/** Of how many queues new work can be recorded, and why not of the others. */
export interface QueueReach {
  readonly served: number;
  readonly refused: readonly RefusingServer[];
}

/**
 * Writes one small key on each server that holds queues.
 *
 * @param options.foreign those of another version: nothing is written there
 */
export function createQueueReach(
  redis: RedisConnection,
  queues: () => readonly HeldQueue[],
  { waitReplicas, foreign }: { waitReplicas: number; foreign: () => readonly HeldQueue[] },
) {
  return async (): Promise<QueueReach> => {
    const byServer = new Map<string, HeldQueue[]>();
    const others = foreign();
    const isForeign = new Set(others.map(({ keySpace }) => keySpace));
    for (const queue of queues().filter(({ keySpace }) => !isForeign.has(keySpace))) {
      const server = serverOf(redis, queue.keySpace);
      const onIt = byServer.get(server) ?? [];
      onIt.push(queue);
      byServer.set(server, onIt);
    }
    const looks = [...byServer.values()].map(
      async ([first, ...others]): Promise<{ served: number } | RefusingServer> => {
        if (!first) return { served: 0 };
        const names = [first, ...others].map(nameOf);
        const trouble = connectionTrouble(redis);
        if (trouble !== undefined) return { why: trouble, queues: names };
        const write = createWriteProbe(redis, first.keySpace, { evenFull: false });
        return createReplication(redis, first.keySpace, waitReplicas)
          .replicated(write)
          .then(
            () => ({ served: names.length }),
            (error: unknown) => ({ why: describeTroubleOn(redis, error), queues: names }),
          );
      },
    );
    const found = await Promise.all(looks);
    return {
      served: found.reduce((sum, one) => sum + ('served' in one ? one.served : 0), 0),
      refused: [
        ...found.flatMap((one) => ('why' in one ? [one] : [])),
        ...(others.length > 0 ? [{ why: 'holds data of another version', queues: others.map(nameOf) }] : []),
      ],
    };
  };
}
