import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { setImmediate as afterOthers } from 'node:timers/promises';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { openLimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { createLifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { noTracing } from '@diq/runtime/tracing/tracing.ts';
import { createRememberedTenants } from '@diq/tenants/remembered-tenants.ts';
import { queuesOf, type ReachableTenant } from '@diq/tenants/tenant.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { watchCommands } from '@diq/testing/watch-commands.ts';
import { readWorkerConfig } from '../config.ts';
import type { ColdStartMode } from '../maintenance/bootstrap-ledger.ts';
import { createWorkerMetrics } from '../observability/metrics.ts';
import { createLookScheduler } from '../scheduling/look-scheduler.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { openRedis } from './open-redis.ts';
import { createServedTenants } from './served-tenants.ts';

const operation = 'initiateInvestigation';
/** Nothing listens there: no test has work for a queue that is served. */
const nowhere = 'https://127.0.0.1:1';
const hourMs = 3_600_000;

function tenantNamed(name: string, calls = 5): ReachableTenant {
  return {
    name,
    tenantId: `id-of-${name}`,
    defaultOperation: operation,
    operations: new Map([[operation, { limits: [{ calls, windowMs: hourMs }], reserveForCritical: 0 }]]),
    access: {
      clientId: 'client',
      credential: { kind: 'secret', secret: 'secret' },
      authorityHost: nowhere,
      baseUrl: nowhere,
      scope: 'scope',
    },
  };
}

const tenantsNamed = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => tenantNamed(`${prefix}-${i}`));
const namesOf = (tenants: readonly ReachableTenant[]) => tenants.map(({ name }) => name).toSorted();
const keySpaceOf = (tenant: ReachableTenant) => queuesOf(tenant)[0]?.keySpace ?? assert.fail('no queue');

describe('the many tenants that a worker serves', () => {
  const redis = useEmbeddedRedis();
  const closings: (() => unknown)[] = [];
  afterEach('close all', async () => {
    for (let close = closings.pop(); close; close = closings.pop()) await close();
    await redis.flush();
  });

  async function open({ coldStart = 'reconstruct' }: { coldStart?: ColdStartMode } = {}) {
    const { logger } = captureLog();
    const lifecycle = createLifecycle({ logger, deadlineMs: 5_000 });
    closings.push(async () => assert.equal(await lifecycle.close('the test is over'), 'clean'));
    const address = parseRedisUrl(redis.url);
    const connections = await openRedis(address, logger, lifecycle);
    const failures: unknown[] = [];
    const limiters = openLimiterConnection(connections.limiter, (error) => failures.push(error));
    lifecycle.onClose('limiters', () => limiters.close());
    const metrics = createWorkerMetrics();
    const scheduler = createLookScheduler();
    const never = new AbortController().signal;
    const signals = { calls: never, records: never, closing: lifecycle.closing };
    for (const signal of Object.values(signals)) setMaxListeners(0, signal);
    const settings = readWorkerConfig({
      REDIS_URL: redis.url,
      AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
      AZURE_CLIENT_ID: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      AZURE_CLIENT_SECRET: 'secret',
    });
    /** The names of all tenants that were ever served, and what is done when they have changed next. */
    const seen = { names: new Set<string>(), onNext: (): void => undefined };
    const tenants = createServedTenants({
      config: { ...settings, coldStart, tenantsFile: 'tenants.json', tenants: [] },
      logger,
      lifecycle,
      metrics,
      tracing: noTracing,
      fail: (error) => failures.push(error),
      redis: connections,
      limiters,
      scheduler,
      signals,
      processId: 'worker-of-the-test',
      onQueues(queues) {
        for (const { tenant } of queues) seen.names.add(tenant);
        const { onNext } = seen;
        seen.onNext = () => undefined;
        onNext();
      },
    });
    lifecycle.onClose('queues', async () => {
      scheduler.stop();
      await tenants.close();
      assert.deepEqual(failures, []);
    });

    const served = () => tenants.queues().map(({ tenant }) => tenant);
    /** The tenants that have series. */
    async function shown(): Promise<string[]> {
      const all = await metrics.registry.getMetricsAsJSON();
      const labels = all.flatMap(({ values }) => values.map((value) => value.labels));
      return [...new Set(labels.flatMap(({ tenant }) => (tenant === undefined ? [] : [String(tenant)])))];
    }
    return {
      tenants,
      seen,
      served: () => served().toSorted(),
      /** Gives other work of the event loop its turn until so many are served, and counts the numbers that it finds on its way. */
      async turnsUntil(isThere: (count: number) => boolean): Promise<number> {
        const found = new Set<number>();
        while (!isThere(served().length)) {
          if (lifecycle.closing.aborted) throw new Error(`closed with ${served().length} tenants`);
          await afterOthers();
          found.add(served().length);
        }
        return found.size;
      },
      untilShown: (names: readonly string[]) =>
        waitFor(async () => (await shown()).toSorted().join() === names.toSorted().join(), {
          what: `${names.length} tenants to have series`,
          timeoutMs: 5_000,
        }),
    };
  }

  /** The key spaces of which commands of workers name keys, by how: whether one exists, or in any other way. */
  async function watchKeySpaces() {
    const watch = await watchCommands(redis.client);
    closings.push(() => watch.close());
    const named = (isWanted: (name: string) => boolean) => [
      ...new Set(
        watch.seen
          .filter(([name = '']) => isWanted(name.toLowerCase()))
          .flatMap((args) => args.join(' ').match(/diq:\{id-of-[^}]+\}/g) ?? []),
      ),
    ];
    return {
      existing: () => named((name) => name === 'exists'),
      opened: () => named((name) => name !== 'exists'),
      untilNow: () => watch.untilNow(),
    };
  }

  /** Something is open in its queue that is no work for now: a deadline, an hour away. */
  const leaveOpen = (tenant: ReachableTenant) =>
    redis.client.zadd(storeKeys(keySpaceOf(tenant)).deadlines, Date.now() + hourMs, 'task');

  it('come and go while other work has many turns, and leave no series', async () => {
    const { tenants, served, turnsUntil, untilShown } = await open();
    const many = tenantsNamed('one', 300);
    const others = tenantsNamed('other', 300);
    const begun = tenants.serve(many);
    const turns = [await turnsUntil((count) => count === 300)];
    await begun;
    tenants.change([]);
    turns.push(await turnsUntil((count) => count === 0));
    tenants.change(others);
    turns.push(await turnsUntil((count) => count === 300));
    assert.ok(Math.min(...turns) >= 6, `turns: ${turns.join(', ')}`);
    assert.deepEqual(served(), namesOf(others));
    await untilShown(namesOf(others));
  });

  it('are those of the last change, where they change again while they come and go', async () => {
    const { tenants, served, seen, turnsUntil, untilShown } = await open();
    const [staying, leaving, coming] = [100, 200, 200].map((count, i) => tenantsNamed(`group-${i}`, count));
    assert.ok(staying && leaving && coming);
    await tenants.serve([...staying, ...leaving]);
    tenants.change([]);
    await turnsUntil((count) => count < 300);
    tenants.change([...staying, tenantNamed('passing')]);
    tenants.change([...leaving, ...staying]);
    let before = 300;
    await turnsUntil((count) => count > before || ((before = count), false));
    tenants.change([...staying, ...coming]);
    await untilShown(namesOf([...staying, ...coming]));
    assert.deepEqual(served(), namesOf([...staying, ...coming]));
    assert.equal(seen.names.has('passing'), false, 'one that was replaced before its turn was served');
  });

  it('do not begin anew, changed, after they were taken out meanwhile', async () => {
    const { tenants, served, seen, untilShown } = await open();
    const staying = tenantsNamed('staying', 20);
    const changing = tenantsNamed('changing', 20);
    await tenants.serve([...staying, ...changing]);
    // Their calls under way are waited for, when the others have been seen to.
    seen.onNext = () => tenants.change(staying);
    tenants.change([...staying, ...changing.map(({ name }) => tenantNamed(name, 6))]);
    await untilShown(namesOf(staying));
    assert.deepEqual(served(), namesOf(staying));
  });

  it('are begun anew where they have changed, with the rules that they have now', async () => {
    const { tenants, served } = await open();
    const many = tenantsNamed('one', 100);
    await tenants.serve(many);
    tenants.change(many.map(({ name }, i) => tenantNamed(name, i < 50 ? 6 : 5)));
    const calls = () => tenants.queues().reduce((sum, { limits }) => sum + (limits[0]?.calls ?? 0), 0);
    await waitFor(() => calls() === 550, { what: 'the new rules of half of them', intervalMs: 2 });
    assert.deepEqual(served(), namesOf(many));
  });

  it('keep fifty queues open in which nothing is left to be done, and let the others go', async () => {
    const { tenants } = await open({ coldStart: 'wait' });
    await tenants.serve(tenantsNamed('one', 60));
    const attendAll = async () => {
      const before = tenants.queues().map((queue) => ({ queue, lookedAtMs: queue.lastLookAtMs() }));
      for (const { queue } of before) queue.attend();
      await waitFor(
        () =>
          before.every(({ queue, lookedAtMs }) => queue.isLeftAlone() && queue.lastLookAtMs() > lookedAtMs),
        { what: 'all of them to be looked at and left alone' },
      );
    };
    await attendAll();
    assert.ok(tenants.queues().every((queue) => queue.hasLedger()));
    const watch = await watchCommands(redis.client);
    closings.push(() => watch.close());
    await attendAll();
    await watch.untilNow();
    const layouts = new Set<string>(tenants.queues().map(({ keySpace }) => storeKeys(keySpace).layout));
    const opened = watch.seen.filter(([name, key = '']) => name?.toLowerCase() === 'get' && layouts.has(key));
    assert.equal(new Set(opened.map(([, key]) => key)).size, 10);
  });

  it('leave queues behind of which only those are opened in which something is open', async () => {
    const { tenants, untilShown } = await open();
    const many = tenantsNamed('one', 200);
    const left = many[123] ?? assert.fail();
    await tenants.serve(many);
    await leaveOpen(left);
    const { existing, opened, untilNow } = await watchKeySpaces();
    tenants.change([]);
    // Its series stay as long as there is something to be done.
    await untilShown([left.name]);
    await waitFor(() => opened().length > 0, { what: 'the queue to be opened' });
    await untilNow();
    assert.deepEqual(opened(), [keySpaceOf(left)]);
    assert.equal(existing().length, 200);
  });

  it('are found when they were removed before the start, and opened likewise', async () => {
    const many = tenantsNamed('earlier', 200);
    const left = many[45] ?? assert.fail();
    await createRememberedTenants(redis.client, hourMs).meet(many, Date.now());
    await leaveOpen(left);
    const { existing, opened, untilNow } = await watchKeySpaces();
    const { tenants } = await open();
    await tenants.serve([]);
    await waitFor(() => opened().length > 0, { what: 'the queue to be opened' });
    await untilNow();
    assert.deepEqual(opened(), [keySpaceOf(left)]);
    assert.equal(existing().length, 200);
  });
});
