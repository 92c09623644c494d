import { randomUUID } from 'node:crypto';
import { keySpace } from '@diq/contracts/operations.ts';
import { startRedisCluster, type ClusterNode, type RedisCluster } from '@diq/testing/redis-cluster.ts';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { useIntake, type IntakeUnderTest } from './intake-under-test.ts';

export const clusterOperations = ['initiateInvestigation', 'startInvestigation'] as const;

/** A Redis Cluster of the suite's own, and an intake on it whose two queues are on two servers. */
export interface OnRedisCluster {
  readonly cluster: RedisCluster;
  readonly intake: IntakeUnderTest;
  /** Of the two operations, in their order. */
  readonly keySpaces: readonly [string, string];
  readonly owners: readonly [ClusterNode, ClusterNode];
}

/** Call inside a `describe`. All of it is readable from the suite's `before` hooks on. */
export function useIntakeOnRedisCluster(): OnRedisCluster {
  const env: Record<string, string> = { DEFENDER_OPERATIONS: clusterOperations.join(',') };
  let started: Omit<OnRedisCluster, 'intake'> | undefined;
  const current = () => {
    if (!started) throw new Error('the cluster is there from the before hooks on');
    return started;
  };

  before('start a Redis Cluster', async function () {
    requireRedisServer.call(this);
    const cluster = await startRedisCluster();
    const { keySpaces, owners, tenantId } = await spreadTenant(cluster);
    Object.assign(env, cluster.env, { AZURE_TENANT_ID: tenantId });
    started = { cluster, keySpaces, owners };
  });
  const intake = useIntake(
    {
      get url() {
        return current().cluster.access.url;
      },
    },
    env,
  );
  after('stop the Redis Cluster', () => started?.cluster.stop());

  return {
    get cluster() {
      return current().cluster;
    },
    get keySpaces() {
      return current().keySpaces;
    },
    get owners() {
      return current().owners;
    },
    intake,
  };
}

/** Where a queue lies follows from its tenant's id. */
async function spreadTenant(cluster: RedisCluster) {
  for (;;) {
    const tenantId = randomUUID();
    const [first, second] = clusterOperations.map((operation) => keySpace({ tenantId, operation }));
    const keySpaces = [first!, second!] as const;
    const owners = [await cluster.ownerOf(first!), await cluster.ownerOf(second!)] as const;
    if (owners[0] !== owners[1]) return { tenantId, keySpaces, owners };
  }
}
