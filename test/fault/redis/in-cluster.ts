import { randomBytes } from 'node:crypto';
import { Cluster, Command } from 'ioredis';
import type { OnStop } from '@diq/testing/open-in-steps.ts';
import { replicationField } from '@diq/testing/redis-access.ts';
import { startRedisCluster, type RedisCluster } from '@diq/testing/redis-cluster.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { InCluster, ReachedServer } from './fault-redis.ts';
import { endClients, serversIn, wholeWithinMs } from './replicated-servers.ts';

export async function startInCluster(keySpace: string, onStop: OnStop): Promise<InCluster> {
  const password = randomBytes(12).toString('hex');
  const cluster = await startRedisCluster({ password, appendOnly: true });
  onStop(() => cluster.stop());
  const client = new Cluster(serversIn(cluster.env['REDIS_CLUSTER_NODES'] ?? ''), {
    redisOptions: { password, maxRetriesPerRequest: null },
    // Asks again who holds what also where no command went astray, as with a node that hangs.
    slotsRefreshInterval: 1_000,
  }).on('error', () => undefined);
  onStop(() => client.disconnect());
  const holder = async () => (await cluster.ownerOf(keySpace)).client;
  return {
    kind: 'cluster',
    env: { ...cluster.env, REDIS_WAIT_REPLICAS: '1' },
    client,
    holder,
    resetConnections: async () => endClients(await holder()),
    primary: () => cluster.ownerOf(keySpace),
    replica: () => cluster.replicaOf(keySpace),
    async untilWhole() {
      const isWhole = async () => {
        await cluster.untilWhole();
        await cluster.untilInSync(keySpace);
        return true;
      };
      await waitFor(isWhole, { what: 'the cluster to be whole', timeoutMs: wholeWithinMs });
    },
    holdReplicaBack: () => cluster.holdReplicaBack(keySpace),
    otherPrimary: () => otherPrimary(cluster, keySpace),
    async moveSlot(steps, between) {
      const slot = new Command('GET', [keySpace]).getSlot() ?? 0;
      const keys = Number(await (await holder()).call('CLUSTER', 'COUNTKEYSINSLOT', slot));
      await cluster.moveSlot(keySpace, { batch: Math.ceil((keys + 1) / steps), between });
    },
  };
}

async function otherPrimary(cluster: RedisCluster, keySpace: string): Promise<ReachedServer> {
  const owner = await cluster.ownerOf(keySpace);
  for (const node of cluster.shards.filter((shard) => !shard.includes(owner)).flat()) {
    if ((await replicationField(node.client, 'role').catch(() => '')) === 'master') return node;
  }
  throw new Error('no other primary runs');
}
