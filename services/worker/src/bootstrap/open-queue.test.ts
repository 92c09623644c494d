import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { openLimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { createLifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { noTracing } from '@diq/runtime/tracing/tracing.ts';
import { queuesOf } from '@diq/tenants/tenant.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { readWorkerConfig } from '../config.ts';
import { createWorkerMetrics } from '../observability/metrics.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { openQueue } from './open-queue.ts';
import { openRedis } from './open-redis.ts';
import { openTenant } from './open-tenant.ts';
import { createQueueLedger } from './queue-parts.ts';

describe('a queue that is let go', () => {
  const redis = useEmbeddedRedis();
  const closings: (() => Promise<unknown>)[] = [];
  afterEach('close all', async () => {
    for (let close = closings.pop(); close; close = closings.pop()) await close();
    await redis.flush();
  });

  async function open() {
    const { logger } = captureLog();
    const lifecycle = createLifecycle({ logger, deadlineMs: 5_000 });
    closings.push(() => lifecycle.close('the test is over'));
    // Nothing listens there.
    const nowhere = 'https://127.0.0.1:1';
    const config = readWorkerConfig({
      REDIS_URL: redis.url,
      AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
      AZURE_CLIENT_ID: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      AZURE_CLIENT_SECRET: 'secret',
      AZURE_AUTHORITY_HOST: nowhere,
      DEFENDER_BASE_URL: nowhere,
      QUOTA_COLD_START: 'open',
    });
    const [tenant] = config.tenants;
    const [queue] = config.tenants.flatMap(queuesOf);
    assert.ok(tenant && queue);
    const connections = await openRedis(parseRedisUrl(redis.url), logger, lifecycle);
    const limiters = openLimiterConnection(connections.limiter, (error) => assert.fail(String(error)));
    closings.push(() => limiters.close());
    const metrics = createWorkerMetrics();
    const never = new AbortController().signal;
    const signals = { calls: never, records: never, closing: lifecycle.closing };
    for (const signal of Object.values(signals)) setMaxListeners(0, signal);
    const clients = openTenant({
      ...config,
      tenant,
      redis: connections.ledger,
      logger,
      metrics: metrics.ofTenant(tenant.name),
    });
    closings.push(() => clients.close());
    let followed = 0;
    const add = (queueFollowed: Parameters<typeof clients.followUp.add>[0]) => {
      followed += 1;
      const end = clients.followUp.add(queueFollowed);
      return () => {
        followed -= 1;
        end();
      };
    };
    const options = {
      queue,
      tenant: { ...clients, followUp: { ...clients.followUp, add } },
      redis: connections,
      limiters,
      processId: 'worker-of-the-test',
      config,
      logger,
      metrics: metrics.ofQueue(queue),
      tracing: noTracing,
      signals,
      longestMs: () => 1_000,
      isServed: () => true,
      onServed: () => undefined,
    };
    const ledger = createQueueLedger(options);
    const opened = await openQueue(options, ledger);
    return {
      opened,
      ledger,
      reader: createLedger(redis.client, queue.keySpace, { limits: queue.limits, callTimeoutMs: 1_000 }),
      followed: () => followed,
      listeners: () =>
        Object.values(connections).flatMap((connection) =>
          connection.eventNames().map((name) => connection.listenerCount(name)),
        ),
    };
  }

  it('knows its calls when it is opened again, though Redis has lost them by then', async () => {
    const { opened, ledger, reader } = await open();
    await ledger.spend({ callId: 'call', taskId: 'task', machineId: 'machine' });
    await ledger.recordAnswer('call', { outcome: 'started', facts: {}, mayRepeat: false });
    const letGo = await opened.letGo();
    await redis.flush();
    const again = await letGo.open();
    await again.look();
    const { slotsInUse, holdsOn } = await reader.snapshot();
    assert.deepEqual(
      slotsInUse.map(({ call }) => call?.callId),
      ['call'],
    );
    assert.ok(holdsOn.includes('cold_start'), 'others may have called that it does not know of');
    await again.close();
  });

  it('leaves nothing at the connections nor with its tenant, however often it is opened', async () => {
    const { opened, listeners, followed } = await open();
    assert.equal(followed(), 1);
    let letGo = await opened.letGo();
    const before = listeners();
    for (let i = 0; i < 3; i += 1) {
      const again = await letGo.open();
      await again.look();
      letGo = await again.letGo();
    }
    assert.deepEqual(listeners(), before);
    assert.equal(followed(), 0);
    await letGo.leave();
  });
});
