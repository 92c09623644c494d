import type { OnStop } from '@diq/testing/open-in-steps.ts';
import { startBehindSentinels } from './behind-sentinels.ts';
import type { FaultRedis, RedisKind } from './fault-redis.ts';
import { startInCluster } from './in-cluster.ts';
import { startOneNode } from './one-node.ts';

/** Starts what this kind of Redis consists of; each server writes each command to disk. */
export function startRedis(kind: RedisKind, keySpace: string, onStop: OnStop): Promise<FaultRedis> {
  if (kind === 'sentinel') return startBehindSentinels(onStop);
  if (kind === 'cluster') return startInCluster(keySpace, onStop);
  return startOneNode(onStop);
}
