import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { storeKeys } from '@diq/queue/store-keys.ts';
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
import { createCallMemory } from './queue-parts.ts';

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
    const [begun, held] = [deferred(), deferred()];
    const check = () => {
      begun.resolve();
      return held.promise;
    };
    const options = {
      queue,
      tenant: { ...clients, followUp: { add, check, close: clients.followUp.close } },
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
    const memory = createCallMemory(options);
    const opened = await openQueue(options, memory);
    const openAnother = () => openQueue(options);
    return {
      opened,
      openAnother,
      ...memory,
      reader: createLedger(redis.client, queue.keySpace, { limits: queue.limits, callTimeoutMs: 1_000 }),
      results: storeKeys(queue.keySpace).results,
      /** Of results, once one is due. */
      reading: { isBegun: begun.promise, end: held.resolve },
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
    const letGo = opened.letGo();
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

  it('gives back again what it did not use, where Redis knows of the call and not of its end', async () => {
    const { opened, unused, reader: other } = await open();
    unused.push({ callId: 'call', taskId: 'task', atMs: performance.now() });
    const letGo = opened.letGo();
    await redis.flush();
    await other.open();
    await other.endColdStart();
    await other.spend({ callId: 'call', taskId: 'task', machineId: 'machine' });
    const again = await letGo.open();
    await again.look();
    assert.equal(await other.findCall('call'), undefined);
    await again.close();
  });

  it('waits for no read that is under way, but when it is stopped', async () => {
    const { opened, results, reading, openAnother } = await open();
    await redis.client.zadd(results, 1, 'task');
    await opened.look();
    await reading.isBegun;
    const letGo = opened.letGo();
    const again = await letGo.open();
    const ended: string[] = [];
    const stops = [
      letGo.leave().then(() => ended.push('without opening it')),
      again.close().then(() => ended.push('opened again')),
    ];
    // One that has nothing under way takes the same steps, and begins them later.
    const idle = await openAnother();
    await idle.close();
    assert.deepEqual(ended, []);
    reading.end();
    await Promise.all(stops);
  });

  it('says goodbye in the ledger when it is stopped', async () => {
    const { opened, reader } = await open();
    await opened.look();
    assert.equal((await reader.snapshot()).workers?.alive, 1);
    await opened.letGo().leave();
    assert.equal((await reader.snapshot()).workers?.alive, 0);
  });

  it('leaves nothing at the connections nor with its tenant, however often it is opened', async () => {
    const { opened, listeners, followed } = await open();
    assert.equal(followed(), 1);
    let letGo = opened.letGo();
    await letGo.leave();
    const before = listeners();
    for (let i = 0; i < 3; i += 1) {
      const again = await letGo.open();
      await again.look();
      letGo = again.letGo();
    }
    await letGo.leave();
    assert.deepEqual(listeners(), before);
    assert.equal(followed(), 0);
  });
});

function deferred() {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
