import assert from 'node:assert/strict';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createRememberedTenants } from '@diq/tenants/remembered-tenants.ts';
import { queuesOf, type Tenant } from '@diq/tenants/tenant.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createWorkerMetrics } from '../observability/metrics.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { createRemovedQueues } from './removed-queues.ts';

const operation = 'initiateInvestigation';
const hourMs = 3_600_000;

describe('queues that were removed', () => {
  const redis = useEmbeddedRedis();
  afterEach(() => redis.flush());

  it('are attended with the clients of their tenant, also where a search found them before its last call ended', async () => {
    const tenant: Tenant = {
      name: 'contoso',
      tenantId: 'id-of-contoso',
      defaultOperation: operation,
      operations: new Map([[operation, { limits: [{ calls: 5, windowMs: hourMs }], reserveForCritical: 0 }]]),
    };
    const queues = queuesOf(tenant);
    for (const { keySpace } of queues)
      await redis.client.zadd(storeKeys(keySpace).deadlines, Date.now() + hourMs, 'task');
    await createRememberedTenants(redis.client, hourMs).meet([tenant], Date.now());
    const removed = createRemovedQueues({
      redis: { ledger: redis.client },
      config: {
        callTimeoutMs: 1_000,
        reconcile: { graceMs: 1_000, onUnknown: 'fail' },
        retentionMs: hourMs,
        tenantsFile: 'tenants.json',
      },
      metrics: createWorkerMetrics(),
      logger: captureLog().logger,
      isServed: () => false,
      openTenant: () => undefined,
    });
    await waitFor(() => removed.queues().length === 1, { what: 'the search to find the queue' });
    let closed = 0;
    const clients = {
      clientId: 'client',
      lookUp: () => assert.fail('nothing is to be looked up'),
      close: async () => void (closed += 1),
    };
    assert.equal(await removed.takeOver(queues, () => clients), true);
    assert.deepEqual([removed.queues().length, closed], [1, 0]);
    await removed.close();
    assert.equal(closed, 1);
  });
});
