import type { Cluster, Redis } from 'ioredis';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import type { TcpProxy } from '@diq/testing/tcp-proxy.ts';

export const redisKinds = ['single', 'sentinel', 'cluster'] as const;

/** Where Redis is in a run: docs/scale.md. */
export type RedisKind = (typeof redisKinds)[number];

/** Redis as the services of a run have it, and the harness' own ways into it, which no fault cuts. */
interface RedisOfRun {
  /** Settings of the services. */
  readonly env: Readonly<Record<string, string>>;
  /** For commands that name keys of the queue. */
  readonly client: Redis | Cluster;
  /** The server that holds the queue now, for commands that name no key. */
  holder(): Promise<Redis>;
  /** Ends all connections of the services to that server; the next ones work. */
  resetConnections(): Promise<void>;
}

export interface OneNode extends RedisOfRun {
  readonly kind: 'single';
  /** The one in use; another one after `moveTo`. */
  readonly server: RedisServer;
  /** Between the services and the server. */
  readonly proxy: TcpProxy;
  /** From now on all use this one. The one before is ended. */
  moveTo(server: RedisServer): Promise<void>;
}

/** A server, and the harness' own connection to it. */
export interface ReachedServer {
  readonly server: RedisServer;
  readonly client: Redis;
}

/** A primary with one replica. Writes are on both before they count: `REDIS_WAIT_REPLICAS=1`. */
interface WithReplica extends RedisOfRun {
  /** The server that takes writes of the queue; rejects while none does, where that can be seen. */
  primary(): Promise<ReachedServer>;
  replica(): Promise<ReachedServer>;
  /** Resolves when all servers run, agree who is the primary, and the replica has all that it has. */
  untilWhole(): Promise<void>;
  /** From now on the replica gets no write of its primary. Resolves to what ends that. */
  holdReplicaBack(): Promise<() => Promise<void>>;
}

export interface BehindSentinels extends WithReplica {
  readonly kind: 'sentinel';
}

export interface InCluster extends WithReplica {
  readonly kind: 'cluster';
  /** A primary that holds nothing of the queue. */
  otherPrimary(): Promise<ReachedServer>;
  /** Moves the slot of the queue with all its keys to another shard, in so many steps. */
  moveSlot(steps: number, between: () => Promise<unknown>): Promise<void>;
}

export type FaultRedis = OneNode | BehindSentinels | InCluster;

/** @throws Error for a fault that is made on one node only. */
export function oneNode(redis: FaultRedis): OneNode {
  if (redis.kind === 'single') return redis;
  throw new Error('needs a Redis of one node');
}

/** @throws Error for a fault that needs a replica. */
export function withReplica(redis: FaultRedis): BehindSentinels | InCluster {
  if (redis.kind !== 'single') return redis;
  throw new Error('needs a Redis with a replica');
}

/** @throws Error for a fault that needs a Redis Cluster. */
export function inCluster(redis: FaultRedis): InCluster {
  if (redis.kind === 'cluster') return redis;
  throw new Error('needs a Redis Cluster');
}
