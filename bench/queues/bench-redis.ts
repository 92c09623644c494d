import { Redis } from 'ioredis';
import { startRedisCluster } from '@diq/testing/redis-cluster.ts';
import { startBenchRedis } from '../support/world.ts';

/** One Redis or a cluster, as services are pointed to it and as it is looked at. */
export interface RedisUnderBench {
  /** The settings of a service that uses it. */
  readonly env: Readonly<Record<string, string>>;
  /** A connection to each node that takes commands. */
  readonly nodes: readonly Redis[];
  /** That of the node which holds a key. */
  nodeOf(key: string): Promise<Redis>;
  stop(): Promise<void>;
}

export async function startOneRedis(): Promise<RedisUnderBench> {
  const server = await startBenchRedis();
  const client = new Redis(server.url);
  return {
    env: { REDIS_URL: server.url },
    nodes: [client],
    nodeOf: async () => client,
    async stop() {
      client.disconnect();
      await server.stop();
    },
  };
}

/** Three primaries, each with a replica. */
export async function startClusterOfThree(): Promise<RedisUnderBench> {
  const cluster = await startRedisCluster({ appendOnly: true });
  // As of one Redis, no file is rewritten while something is measured.
  for (const { client } of cluster.shards.flat())
    await client.config('SET', 'auto-aof-rewrite-percentage', '0');
  return {
    env: cluster.env,
    nodes: cluster.shards.map(([primary]) => primary.client),
    nodeOf: async (key) => (await cluster.ownerOf(key)).client,
    stop: () => cluster.stop(),
  };
}

/** Of the bench itself and of replicas. */
const foreign = /^(client|replconf|psync)/;

/** How often each command ran on all nodes since they started, those in scripts included. */
export async function commandCounts({ nodes }: RedisUnderBench): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const stats = await node.info('commandstats');
    for (const [, name = '', calls] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      if (!foreign.test(name)) counts.set(name, (counts.get(name) ?? 0) + Number(calls));
    }
  }
  return counts;
}

/** How many connections to all nodes have a name that begins like this. */
export async function connectionsNamed({ nodes }: RedisUnderBench, name: string): Promise<number> {
  let found = 0;
  for (const node of nodes) {
    const lines = String(await node.client('LIST')).split('\n');
    found += lines.filter((line) => line.includes(` name=${name}`)).length;
  }
  return found;
}
