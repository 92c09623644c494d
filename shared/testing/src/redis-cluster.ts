import { Command, type Redis } from 'ioredis';
import { findLastingPort } from './lasting-port.ts';
import { openInSteps, type OnStop } from './open-in-steps.ts';
import { openAccess, replicationField, type OpenedAccess, type RedisTestAccess } from './redis-access.ts';
import { startRedisServer, type RedisServer } from './redis-process.ts';
import { cutReplication, untilReplicated } from './replication-link.ts';
import { waitFor } from './wait-for.ts';

export interface RedisClusterOptions extends RedisTestAccess {
  /** Writes every command to disk before it is answered. */
  readonly appendOnly?: boolean;
}

export interface ClusterNode {
  readonly id: string;
  readonly server: RedisServer;
  /** The test's own connection to this node, which follows no redirection. */
  readonly client: Redis;
}

/** A primary with its replica; which is which changes with a failover. */
export type ClusterShard = readonly [ClusterNode, ClusterNode];

/** A Redis Cluster of three primaries, each with a replica: a real one, which belongs to one test. */
export interface RedisCluster {
  /** The settings of a service that uses it. */
  readonly env: Readonly<Record<string, string>>;
  readonly access: OpenedAccess;
  readonly shards: readonly ClusterShard[];
  /** The node that takes commands for a key. */
  ownerOf(key: string): Promise<ClusterNode>;
  /** The replica of the node that takes commands for a key. */
  replicaOf(key: string): Promise<ClusterNode>;
  /** Resolves when all nodes run, and agree on who holds what and who follows whom. */
  untilWhole(): Promise<void>;
  /** Resolves when this node takes commands for the key. */
  untilOwner(key: string, node: ClusterNode): Promise<void>;
  /** Resolves when the replica has all of the key's slot that its primary has by now. */
  untilInSync(key: string): Promise<void>;
  /** From now on the replica gets no write of its primary. Resolves to what ends that. */
  holdReplicaBack(key: string): Promise<() => Promise<void>>;
  /** Moves the slot of a key with all its keys to another shard, as `redis-cli --cluster reshard` does. */
  moveSlot(key: string, options?: MoveOptions): Promise<ClusterNode>;
  stop(): Promise<void>;
}

export interface MoveOptions {
  /** Keys moved at a time. Default 100. */
  readonly batch?: number;
  /** Called between two batches. */
  readonly between?: () => Promise<unknown>;
}

const shardCount = 3;
const slotCount = 16_384;

export function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  return openInSteps((onStop, stop) => open(options, onStop, stop));
}

async function open(
  options: RedisClusterOptions,
  onStop: OnStop,
  stop: () => Promise<void>,
): Promise<RedisCluster> {
  const access = await openAccess(options);
  onStop(access.close);
  const nodes = await Promise.all(
    Array.from({ length: 2 * shardCount }, () => startNode(options, access, onStop)),
  );
  const shards = Array.from({ length: shardCount }, (_, i) => [nodes[i]!, nodes[shardCount + i]!] as const);
  await join(nodes, shards);

  const ownerOf = async (key: string) => {
    const slot = slotOf(key);
    for (const { client } of nodes) {
      const ranges = (await client.cluster('SLOTS').catch(() => [])) as [number, number, [string, number]][];
      const range = ranges.find(([from, to]) => from <= slot && slot <= to);
      const owner = nodes.find(({ server }) => server.port === range?.[2][1]);
      if (owner && (await replicationField(owner.client, 'role').catch(() => '')) === 'master') return owner;
    }
    throw new Error(`no node takes commands for ${key}`);
  };
  const replicaOf = async (key: string) => otherOf(shards, await ownerOf(key));
  return {
    env: {
      REDIS_URL: access.url,
      REDIS_CLUSTER_NODES: nodes
        .slice(0, 2)
        .map(({ server }) => `127.0.0.1:${server.port}`)
        .join(','),
    },
    access,
    shards,
    ownerOf,
    replicaOf,
    untilWhole: () => untilWhole(nodes),
    async untilOwner(key, node) {
      await waitFor(async () => (await ownerOf(key)) === node, { what: 'the failover', timeoutMs: 30_000 });
    },
    untilInSync: async (key) => untilReplicated((await ownerOf(key)).client, (await replicaOf(key)).client),
    holdReplicaBack: async (key) => cutReplication((await replicaOf(key)).client),
    async moveSlot(key, moveOptions) {
      const from = await ownerOf(key);
      const primaries = await Promise.all(shards.map((shard) => primaryOf(shard)));
      const to = primaries.find((node) => node !== from)!;
      await moveSlot(slotOf(key), from, to, primaries, { ...moveOptions, password: options.password });
      return to;
    },
    stop,
  };
}

async function startNode(
  options: RedisClusterOptions,
  access: OpenedAccess,
  onStop: OnStop,
): Promise<ClusterNode> {
  const [port, busPort] = [await findLastingPort(), await findLastingPort()];
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-port': String(busPort),
    // A part that is lost stops its own slots only, and its replica takes over whatever it lacks.
    'cluster-node-timeout': '1500',
    'cluster-require-full-coverage': 'no',
    'cluster-replica-validity-factor': '0',
    'repl-diskless-sync-delay': '0',
    // A replica that has heard nothing yet counts as none.
    'repl-ping-replica-period': '1',
  };
  const own = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const args = [...own, ...access.args(port)];
  const server = await startRedisServer({ appendOnly: options.appendOnly ?? false, port, args });
  onStop(() => server.stop());
  const client = access.connect(port);
  const id = await waitFor(async () => await client.cluster('MYID'), { what: 'a node' });
  return { id, server, client };
}

/** Makes a cluster of nodes that do not know each other. */
async function join(nodes: readonly ClusterNode[], shards: readonly ClusterShard[]): Promise<void> {
  const each = Math.ceil(slotCount / shardCount);
  for (const [i, [primary]] of shards.entries()) {
    await primary.client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    const last = Math.min((i + 1) * each, slotCount) - 1;
    await primary.client.call('CLUSTER', 'ADDSLOTSRANGE', i * each, last);
  }
  // Each meets each: word of mouth takes seconds.
  for (const node of nodes) {
    const [, busPort = ''] = await node.client.config('GET', 'cluster-port');
    for (const other of nodes) {
      if (other !== node) await other.client.call('CLUSTER', 'MEET', '127.0.0.1', node.server.port, busPort);
    }
  }
  const knowsAll = async ({ client }: ClusterNode) =>
    (await client.cluster('INFO')).includes(`cluster_known_nodes:${nodes.length}`);
  for (const node of nodes) {
    await waitFor(() => knowsAll(node), { what: 'the nodes to know each other', timeoutMs: 20_000 });
  }
  for (const [primary, replica] of shards) {
    await waitFor(() => replica.client.call('CLUSTER', 'REPLICATE', primary.id), { what: 'a replica' });
    await untilReplicated(primary.client, replica.client);
  }
  await untilWhole(nodes);
}

/** All have to agree before one of them may be lost. */
async function untilWhole(nodes: readonly ClusterNode[]): Promise<void> {
  const isComplete = async ({ client }: ClusterNode) => {
    const slots = (await client.cluster('SLOTS')) as unknown[][];
    const isWhole = slots.length >= shardCount && slots.every((range) => range.length === 4);
    return isWhole && (await client.cluster('INFO')).includes('cluster_state:ok');
  };
  for (const node of nodes) {
    await waitFor(() => isComplete(node), { what: 'the cluster to be complete', timeoutMs: 20_000 });
  }
}

async function primaryOf(shard: ClusterShard): Promise<ClusterNode> {
  const roles = await Promise.all(
    shard.map(({ client }) => replicationField(client, 'role').catch(() => '')),
  );
  return shard[roles.indexOf('master')] ?? shard[0];
}

function otherOf(shards: readonly ClusterShard[], node: ClusterNode): ClusterNode {
  const [one, other] = shards.find((shard) => shard.includes(node))!;
  return one === node ? other : one;
}

async function moveSlot(
  slot: number,
  from: ClusterNode,
  to: ClusterNode,
  primaries: readonly ClusterNode[],
  { batch = 100, between, password }: MoveOptions & { password: string | undefined },
): Promise<void> {
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
  const auth = password === undefined ? [] : ['AUTH', password];
  for (;;) {
    const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, batch)) as string[];
    if (keys.length === 0) break;
    await from.client.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5_000, ...auth, 'KEYS', ...keys);
    await between?.();
  }
  for (const node of [to, from, ...primaries])
    await node.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
}

function slotOf(key: string): number {
  return new Command('GET', [key]).getSlot() ?? 0;
}
