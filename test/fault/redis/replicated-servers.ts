import type { Redis } from 'ioredis';
import { replicationField } from '@diq/testing/redis-access.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { BehindSentinels, InCluster, ReachedServer } from './fault-redis.ts';

/** Long: a failover in which the votes are split begins anew 20 s later. */
export const wholeWithinMs = 90_000;

/** Resolves when another server than this takes the writes of the queue. */
export async function untilFailedOver(
  redis: BehindSentinels | InCluster,
  { server }: ReachedServer,
): Promise<void> {
  const isOver = async () => {
    const now = await redis.primary();
    return now.server !== server && (await replicationField(now.client, 'role')) === 'master';
  };
  await waitFor(isOver, { what: 'a failover', timeoutMs: wholeWithinMs });
}

/** Ends the connections of all clients but this one; those of replicas stay. */
export async function endClients(redis: Redis): Promise<void> {
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}

/** `host:port,host:port` as in the settings of a service. */
export function serversIn(list: string): { host: string; port: number }[] {
  return list.split(',').map((server) => {
    const [host = '', port] = server.split(':');
    return { host, port: Number(port) };
  });
}
