import { isCluster } from '@diq/redis/connection.ts';
import { inSlices } from '@diq/runtime/async/in-slices.ts';
import { LayoutError } from '@diq/queue/layout.ts';
import type { LimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import { identityOf, nameOf, queuesOf, type Queue, type ReachableTenant } from '@diq/tenants/tenant.ts';
import { watchCertificate } from '../defender/auth/check-credential.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createIdleQueues } from '../scheduling/idle-queues.ts';
import type { LookScheduler } from '../scheduling/look-scheduler.ts';
import { createRestCheck } from '../scheduling/rest-check.ts';
import { startRestSweep } from '../scheduling/rest-sweep.ts';
import { createForgetSeries } from './forget-series.ts';
import { untilRedisServes, type WorkerRedis } from './open-redis.ts';
import { openTenant, type OpenTenant } from './open-tenant.ts';
import type { WorkerParts } from './open-worker.ts';
import type { OpenQueueOptions } from './queue-parts.ts';
import { presentOf, type Present } from './present-tenants.ts';
import { createRemovedQueues } from './removed-queues.ts';
import { serveQueue, type Served } from './serve-queue.ts';
import { createTenantAnswers, type TenantAnswers } from './tenant-answers.ts';

export interface ServedTenantsOptions extends WorkerParts {
  redis: WorkerRedis;
  limiters: LimiterConnection;
  scheduler: LookScheduler;
  signals: OpenQueueOptions['signals'];
  processId: string;
  /** Gets all queues whenever they change. */
  onQueues(queues: readonly Served[]): void;
}

interface ServedTenant {
  /** Another one is another tenant, though it has the same name. */
  identity: string;
  queues: Served[];
  /** @param removed those of its queues that are not served again; what is open in them is attended */
  close(removed: readonly Queue[]): Promise<void>;
  /** Answers what intakes ask about its Defender. */
  readonly answers: TenantAnswers;
  /** Ends what is read of its Defender. */
  abandonReads(): Promise<unknown>;
}

/** Many tenants come or go at once: after so many what else is to be done has its turn, calls that are due above all. */
const tenantsAtOnce = 25;
/** So few queues are opened at the start: an empty ledger is then rebuilt before the first request comes. */
const openedAtStart = 10;
/** So many queues with nothing to do stay open. */
const mostIdle = 50;
/** For each queue: so long it takes at the most to look at all open ones after Redis was away. */
const spreadPerQueueMs = 0.5;
/** Longest time between two looks at a queue with work, while there are few; with many it grows, for so many looks a second. */
const shortestMs = 1_000;
const longestMs = 5_000;
const looksPerSecond = 40;
/** How long the number of queues with work is taken for what it was. */
const countedForMs = 500;
/** From one sweep over the queues that are left alone to the next. On a Redis Cluster each takes a command: so many a second. */
const sweepEveryMs = 60_000;
const sweptPerSecond = 10;

/** The tenants that this process serves, each with its queues. They can change while it runs. */
export function createServedTenants(options: ServedTenantsOptions) {
  const served = new Map<string, ServedTenant>();
  const byKeySpace = new Map<string, Served>();
  const leaving = new Map<ServedTenant, Promise<void>>();
  const sweeping = createOutageLog(options.logger, 'sweeping the queues');
  const idle = createIdleQueues(mostIdle);
  let changing = Promise.resolve();
  /** What the last change asked for. */
  let newest: readonly ReachableTenant[] = [];
  let present: Present = presentOf([]);
  const isServed = (keySpace: string): boolean => present.keySpaces.has(keySpace);
  const removedQueues = createRemovedQueues({
    ...options,
    isServed,
    onLetGo: (queue) => forgetSeries([queue]),
    openTenant(tenantId) {
      const tenant = present.tenants.get(tenantId);
      return tenant && clientsOf(tenant);
    },
  });

  const forgetSeries = createForgetSeries({
    metrics: options.metrics,
    present: () => present,
    busy: () => [...removedQueues.queues(), ...[...leaving.keys()].flatMap((tenant) => tenant.queues)],
  });

  const all = (): Served[] => [...byKeySpace.values()];
  let [longestBetweenLooks, countedAtMs] = [shortestMs, -Infinity];
  const longest = (): number => {
    if (performance.now() - countedAtMs < countedForMs) return longestBetweenLooks;
    const active = all().filter((queue) => queue.isActive()).length;
    countedAtMs = performance.now();
    return (longestBetweenLooks = Math.min(
      longestMs,
      Math.max(shortestMs, (active / looksPerSecond) * 1_000),
    ));
  };
  const sweep = startRestSweep({
    queues: all,
    check: createRestCheck(options.redis.ledger),
    outages: sweeping,
    everyMs: () =>
      isCluster(options.redis.ledger)
        ? Math.max(sweepEveryMs, (byKeySpace.size / sweptPerSecond) * 1_000)
        : sweepEveryMs,
  });

  function clientsOf(tenant: ReachableTenant): OpenTenant {
    const { callTimeoutMs, readShare, followUpEveryMs, proxy } = options.config;
    return openTenant({
      tenant,
      redis: options.redis.ledger,
      readShare,
      followUpEveryMs,
      callTimeoutMs,
      proxy,
      logger: options.logger.child({ tenant: tenant.name }),
      metrics: options.metrics.ofTenant(tenant.name),
    });
  }

  function serveTenant(tenant: ReachableTenant): ServedTenant {
    const logger = options.logger.child({ tenant: tenant.name });
    options.metrics.ofTenant(tenant.name);
    const endWatch = watchCertificate(tenant.access.credential, logger);
    let opened: OpenTenant | undefined;
    // With its first queue that has work: most of many tenants have none.
    const open = () => (opened ??= clientsOf(tenant));
    const abandonReads = async () => opened?.closeReaders();
    const answers = createTenantAnswers({
      redis: options.redis.ledger,
      tenantId: tenant.tenantId,
      open,
      logger,
    });
    const queues = queuesOf(tenant).map((queue) =>
      serveQueue(queue, open, { ...options, idle, isServed, longestMs: longest, sweeping }),
    );
    for (const queue of queues) byKeySpace.set(queue.keySpace, queue);
    return {
      identity: identityOf(tenant),
      queues,
      async close(removed) {
        const closing = Promise.all([...queues.map((queue) => queue.stop()), answers.close()]);
        // What is read is of no use any more, and would keep the queues from being closed.
        await opened?.lookReader.close();
        if (removed.length === 0) await abandonReads();
        await closing;
        await endWatch();
        const isTaken = !options.lifecycle.closing.aborted && (await removedQueues.takeOver(removed, open));
        if (!isTaken) await opened?.close();
      },
      answers,
      abandonReads,
    };
  }

  /** Resolves to the number of those that are served now and were not before. */
  async function begin(tenants: readonly ReachableTenant[]): Promise<number> {
    let begun = 0;
    const added = tenants.filter(({ name }) => !served.has(name));
    await inSlices(added, tenantsAtOnce, (tenant) => {
      if (options.lifecycle.closing.aborted || served.has(tenant.name)) return;
      served.set(tenant.name, serveTenant(tenant));
      begun += 1;
    });
    options.onQueues(all());
    return begun;
  }

  async function beginAndSweep(tenants: readonly ReachableTenant[]): Promise<void> {
    if ((await begin(tenants)) > 0) sweep.now();
  }

  /** Those that are gone are left at once, and those that are new begin at once; see `beginAfter` for those that have changed. */
  async function change(tenants: readonly ReachableTenant[]): Promise<void> {
    const wanted = new Map(tenants.map((tenant) => [tenant.name, identityOf(tenant)]));
    const before = present;
    present = presentOf(tenants);
    await removedQueues.release(present.keySpaces);
    const gone = [...served].filter(([name, { identity }]) => wanted.get(name) !== identity);
    await inSlices(gone, tenantsAtOnce, ([name]) => void leave(name));
    // One that was waiting for its calls to end, to begin anew, is not served now and has series.
    const asked = [...before.tenants.values()].flatMap(queuesOf);
    forgetSeries(asked.filter((queue) => !present.queueNames.has(nameOf(queue))));
    const ending = new Map(
      [...leaving].flatMap(([{ queues }, left]) => queues.map(({ keySpace }) => [keySpace, left] as const)),
    );
    const free: ReachableTenant[] = [];
    for (const tenant of tenants) {
      const left = queuesOf(tenant).flatMap(({ keySpace }) => ending.get(keySpace) ?? []);
      if (left.length === 0) free.push(tenant);
      else void beginAfter(left, tenant, tenants);
    }
    await beginAndSweep(free);
  }

  /** A tenant some of whose queues are still served as they were begins when its calls under way have ended; no other waits for it. */
  async function beginAfter(
    left: readonly Promise<void>[],
    tenant: ReachableTenant,
    asked: readonly ReachableTenant[],
  ): Promise<void> {
    await Promise.all(left);
    // What was open has been handed over, if the tenant was not in the settings meanwhile.
    if (newest === asked) await removedQueues.release(queuesOf(tenant).map(({ keySpace }) => keySpace));
    if (newest === asked) await beginAndSweep([tenant]);
  }

  function leave(name: string): Promise<void> {
    const gone = served.get(name);
    served.delete(name);
    if (!gone) return Promise.resolve();
    for (const { keySpace } of gone.queues) byKeySpace.delete(keySpace);
    const removed = gone.queues.filter(({ keySpace }) => !present.keySpaces.has(keySpace));
    const left = gone.close(removed).finally(() => {
      leaving.delete(gone);
      forgetSeries(gone.queues);
    });
    leaving.set(gone, left);
    return left;
  }

  async function openAtStart(queue: Served, onForeign: (error: LayoutError) => void): Promise<void> {
    const { logger, lifecycle } = options;
    try {
      await untilRedisServes(() => queue.open(), logger, lifecycle.closing);
    } catch (error) {
      if (!(error instanceof LayoutError)) throw error;
      onForeign(error);
      // Its look says so, and is made again later.
      queue.wake('free');
    }
  }

  return {
    queues: all,
    /** A link of this queue is asked for. */
    answerLinks(keySpace: string): void {
      const queue = byKeySpace.get(keySpace);
      if (queue) served.get(queue.tenant)?.answers.answerLinks(queue);
    },
    /** A read of this tenant's Defender is asked for. */
    answerReads(tenantId: string): void {
      const tenant = present.tenants.get(tenantId);
      if (tenant) served.get(tenant.name)?.answers.answerReads();
    },
    queueOf: (keySpace: string) => byKeySpace.get(keySpace),
    /** Wakes may have been lost: all are asked for work, and those that are open looked at. */
    missedWakes(): void {
      for (const queue of all()) queue.missedWakes(spreadMs(byKeySpace.size));
      sweep.now();
    },
    /** The connection to Redis is a new one. */
    reconnected(): void {
      for (const queue of all()) queue.reconnected(spreadMs(byKeySpace.size));
      sweep.now();
    },
    /**
     * Serves these tenants. Few queues are opened at once, of many each when it has work.
     *
     * @throws LayoutError where all queues are of another version. Of some, the others are served
     */
    async serve(tenants: readonly ReachableTenant[]): Promise<void> {
      newest = tenants;
      present = presentOf(tenants);
      await begin(tenants);
      if (all().length > openedAtStart) return;
      const foreign: LayoutError[] = [];
      await Promise.all(all().map((queue) => openAtStart(queue, (error) => foreign.push(error))));
      if (foreign[0] && foreign.length === all().length) throw foreign[0];
    },
    /** Serves these from now on, and the last ones only, if they change again meanwhile. */
    change(tenants: readonly ReachableTenant[]): void {
      newest = tenants;
      changing = changing.then(() => (newest === tenants ? change(tenants) : undefined));
    },
    /** Finishes all calls under way. */
    async close(): Promise<void> {
      await sweep.stop();
      await Promise.all([...leaving.keys()].map((tenant) => tenant.abandonReads()));
      await Promise.all([...[...served.keys()].map(leave), ...leaving.values()]);
      await removedQueues.close();
    },
  };
}

/** A time of its own for each queue, so that Redis is not asked about all of them at once. */
function spreadMs(queues: number): number {
  return Math.random() * queues * spreadPerQueueMs;
}
