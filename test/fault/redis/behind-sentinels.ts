import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import type { OnStop } from '@diq/testing/open-in-steps.ts';
import { replicationField } from '@diq/testing/redis-access.ts';
import { startRedisSentinels, type RedisSentinels } from '@diq/testing/redis-sentinels.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { BehindSentinels } from './fault-redis.ts';
import { endClients, serversIn, wholeWithinMs } from './replicated-servers.ts';

export async function startBehindSentinels(onStop: OnStop): Promise<BehindSentinels> {
  const password = randomBytes(12).toString('hex');
  const sentinels = await startRedisSentinels({ password, appendOnly: true });
  onStop(() => sentinels.stop());
  const { REDIS_SENTINELS = '', REDIS_SENTINEL_NAME: name = '' } = sentinels.env;
  const client = new Redis({
    sentinels: serversIn(REDIS_SENTINELS),
    name,
    password,
    sentinelPassword: password,
    maxRetriesPerRequest: null,
    reconnectOnError: (error) => (error.message.includes('READONLY') ? 2 : false),
  }).on('error', () => undefined);
  onStop(() => client.disconnect());
  const holder = async () => (await sentinels.primary()).client;
  return {
    kind: 'sentinel',
    env: { ...sentinels.env, REDIS_WAIT_REPLICAS: '1' },
    client,
    holder,
    resetConnections: async () => endClients(await holder()),
    primary: () => sentinels.primary(),
    async replica() {
      const [replica] = await sentinels.replicas();
      if (!replica) throw new Error('no replica runs');
      return replica;
    },
    async untilWhole() {
      // A primary that comes back begins as one, until the sentinels make it a replica.
      await waitFor(() => isWhole(sentinels), { what: 'primary and replica', timeoutMs: wholeWithinMs });
      await sentinels.untilInSync();
    },
    holdReplicaBack: () => sentinels.holdReplicasBack(),
  };
}

async function isWhole(sentinels: RedisSentinels): Promise<boolean> {
  const primary = await sentinels.primary();
  const [replica] = await sentinels.replicas();
  return (
    replica !== undefined &&
    (await replicationField(primary.client, 'role')) === 'master' &&
    (await replicationField(primary.client, 'connected_slaves')) === '1' &&
    (await replicationField(replica.client, 'master_link_status')) === 'up'
  );
}
