import { profileOf } from '@diq/contracts/operations/index.ts';
import type { Records } from '@diq/contracts/operations/profile.ts';
import { claimLayout, LayoutError } from '@diq/queue/layout.ts';
import { createRequestLog } from '@diq/queue/requests/transition-log.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { serverTimeMs } from '@diq/redis/ask-owner.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { createRememberedTenants } from '@diq/tenants/remembered-tenants.ts';
import { queuesOf, type Queue } from '@diq/tenants/tenant.ts';
import type { WorkerConfig } from '../config.ts';
import { createRemovedQueue, type RemovedQueue } from '../maintenance/removed-queue.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createMoveLog } from '../observability/transition-log.ts';
import type { UnresolvedCall } from '../reconciliation/finding.ts';
import type { LookedUp } from '../reconciliation/query-defender.ts';
import { firstQueryInMs } from '../reconciliation/resolution-policy.ts';
import { createReadNeeds } from '../scheduling/queue-needs.ts';
import { permitTimeoutOf, politely } from './queue-parts.ts';
import type { WorkerRedis } from './open-redis.ts';
import { longestLookMs } from './open-tenant.ts';

/** With what a removed tenant's Defender is asked, as long as this process has that. */
export interface RemovedTenant {
  readonly clientId: string;
  lookUp(call: UnresolvedCall, records: Records): Promise<LookedUp>;
  close(): Promise<void>;
}

export interface RemovedQueuesOptions {
  redis: Pick<WorkerRedis, 'ledger'>;
  config: Pick<WorkerConfig, 'callTimeoutMs' | 'reconcile' | 'retentionMs' | 'tenantsFile'>;
  metrics: Pick<WorkerMetrics, 'ofQueue'>;
  logger: Logger;
  /** Whether a queue is served, or is about to be. */
  isServed(keySpace: string): boolean;
  /** The clients of a tenant that is in the settings, opened anew; `undefined` for one that is not. */
  openTenant(tenantId: string): RemovedTenant | undefined;
  /** Nothing is left to be done in a queue, or it is served again. */
  onLetGo?(queue: Queue): void;
  /** From one search for removed queues to the next. */
  searchEveryMs?: number;
}

export type RemovedQueues = ReturnType<typeof createRemovedQueues>;

interface Attended {
  readonly keySpace: string;
  readonly of: Queue;
  readonly queue: Pick<RemovedQueue, 'attend'> & { close(): Promise<void> };
  readonly holder: Holder;
  readonly outages: ReturnType<typeof createOutageLog>;
  dueAtMs: number;
  underWay?: Promise<void>;
}

/** A tenant's clients, with the number of queues that use them. */
interface Holder {
  readonly tenant: RemovedTenant;
  queues: number;
}

const roundEveryMs = 1_000;
const usualSearchMs = 60_000;
const afterFailureMs = 5_000;
/** Queues attended at the same time: a tenant whose Defender hangs takes the time of its reads. */
const mostAtOnce = 50;

/** Of a tenant that was taken out before this process started: its credential is gone with its entry. */
const withoutCredential: RemovedTenant = {
  clientId: '',
  lookUp: async () => ({
    kind: 'unreadable',
    reason: 'tenant_removed',
    because: 'its tenant or operation is no longer in the settings',
  }),
  close: async () => undefined,
};

/**
 * The queues that were taken out of the settings and in which something is still open. Those of tenants that this process served are
 * handed over with their clients; those of before its start are searched for, by the tenants that the intakes remember.
 */
export function createRemovedQueues(options: RemovedQueuesOptions) {
  const { redis, config, logger, isServed, searchEveryMs = usualSearchMs } = options;
  const attended = new Map<string, Attended>();
  const remembered = createRememberedTenants(redis.ledger, config.retentionMs);
  const searching = createOutageLog(logger, 'searching for removed queues');
  let nextSearchAtMs = config.tenantsFile === undefined ? Infinity : 0;

  function take(queue: Queue, holder: Holder): void {
    const { keySpace, tenant, operation } = queue;
    if (attended.has(keySpace)) return;
    holder.queues += 1;
    const log = logger.child({ tenant, operation });
    attended.set(keySpace, {
      keySpace,
      of: queue,
      queue: openRemovedQueue(queue, holder.tenant, { ...options, logger: log }),
      holder,
      outages: createOutageLog(log, 'attending a removed queue'),
      dueAtMs: 0,
    });
  }

  async function letGo(one: Attended): Promise<void> {
    if (attended.get(one.keySpace) !== one) return;
    attended.delete(one.keySpace);
    one.holder.queues -= 1;
    if (one.holder.queues === 0) await one.holder.tenant.close();
    await one.queue.close();
    options.onLetGo?.(one.of);
  }

  /** A look in Defender that is under way ends with its reader. */
  const release = (one: Attended) => Promise.all([letGo(one), one.underWay]);

  async function releaseAll(keySpaces: Iterable<string>): Promise<void> {
    const ones = [...keySpaces].flatMap((keySpace) => attended.get(keySpace) ?? []);
    await Promise.all(ones.map(release));
  }

  async function attend(one: Attended): Promise<void> {
    try {
      const waitMs = await one.queue.attend();
      one.outages.worked();
      if (waitMs === undefined) await letGo(one);
      else one.dueAtMs = performance.now() + waitMs;
    } catch (error) {
      one.outages.failed(error);
      one.dueAtMs = performance.now() + (error instanceof LayoutError ? searchEveryMs : afterFailureMs);
    }
  }

  const isRemoved = ({ keySpace }: Queue): boolean => !isServed(keySpace) && !attended.has(keySpace);

  async function search(): Promise<void> {
    const candidates = (await remembered.all(Date.now())).flatMap(queuesOf).filter(isRemoved);
    const found = await Promise.all(candidates.map(({ keySpace }) => isOpen(keySpace)));
    const holders = new Map<string, Holder>();
    for (const queue of candidates.filter((one, i) => found[i] && isRemoved(one))) {
      const { tenantId } = queue;
      const holder = holders.get(tenantId) ?? {
        tenant: options.openTenant(tenantId) ?? withoutCredential,
        queues: 0,
      };
      holders.set(tenantId, holder);
      take(queue, holder);
    }
  }

  async function isOpen(keySpace: string): Promise<boolean> {
    const { inFlight, reconciling, deadlines } = storeKeys(keySpace);
    return (await redis.ledger.exists(inFlight, reconciling, deadlines)) > 0;
  }

  async function round(): Promise<void> {
    if (performance.now() >= nextSearchAtMs) {
      await searching
        .watched(search)()
        .catch((error) => searching.failed(error));
      nextSearchAtMs = performance.now() + searchEveryMs;
    }
    const all = [...attended.values()];
    const free = mostAtOnce - all.filter(({ underWay }) => underWay !== undefined).length;
    const due = all.filter(({ underWay, dueAtMs }) => underWay === undefined && dueAtMs <= performance.now());
    for (const one of due.slice(0, free)) {
      one.underWay = attend(one).finally(() => delete one.underWay);
    }
  }

  const stop = repeat(roundEveryMs, round, (error) => searching.failed(error));

  return {
    /**
     * Those of a tenant's queues, which this process served until now, in which something is open, with the tenant's clients: closed
     * when nothing is left to be done.
     *
     * @returns whether there is such a queue; without one the clients are the caller's to close
     */
    async takeOver(queues: readonly Queue[], openTenant: () => RemovedTenant): Promise<boolean> {
      const found = await Promise.all(queues.map(({ keySpace }) => isOpen(keySpace).catch(() => true)));
      const open = queues.filter((_, i) => found[i]);
      if (open.length === 0) return false;
      // A search may have found one while its calls under way were waited for: it is attended without the clients.
      await releaseAll(open.map(({ keySpace }) => keySpace));
      const holder = { tenant: openTenant(), queues: 0 };
      for (const queue of open) take(queue, holder);
      return holder.queues > 0;
    },
    /** Those that are attended. */
    queues: (): Queue[] => [...attended.values()].map(({ of }) => of),
    /** Lets go of queues that are to be served again. */
    release: releaseAll,
    async close(): Promise<void> {
      await stop();
      await Promise.all([...attended.values()].map(release));
    },
  };
}

function openRemovedQueue(
  { keySpace, limits, operation, tenant }: Queue,
  { clientId, lookUp }: RemovedTenant,
  { redis, config, metrics, logger }: Pick<RemovedQueuesOptions, 'redis' | 'config' | 'metrics' | 'logger'>,
): Attended['queue'] {
  const profile = profileOf(operation);
  const permitTimeoutMs = permitTimeoutOf(config);
  const requestLog = createRequestLog(redis.ledger, keySpace, logger);
  // The connection logs its own troubles.
  const jobs = createJobQueue(redis.ledger, keySpace, (error) => logger.debug({ err: error }, 'queue error'));
  const readNeeds = createReadNeeds(redis.ledger, keySpace);
  const removed = createRemovedQueue({
    ledger: createLedger(redis.ledger, keySpace, { limits, callTimeoutMs: permitTimeoutMs }),
    tasks: createTaskStore(redis.ledger, keySpace, config.retentionMs, createMoveLog(requestLog).moved),
    jobs,
    logger,
    wording: profile.wording,
    permitTimeoutMs,
    firstQueryInMs: firstQueryInMs(config.reconcile.graceMs),
    lookUp: (call) => lookUp(call, profile.records),
    metrics: metrics.ofQueue({ tenant, operation }),
    clientId,
    rules: config.reconcile,
    profile,
    lookTimeoutMs: longestLookMs,
    readNeeds,
    readTimeMs: () => serverTimeMs(redis.ledger, keySpace),
  });
  let isClaimed = false;
  return {
    async attend() {
      if (!isClaimed) await claimLayout(redis.ledger, keySpace);
      isClaimed = true;
      return removed.attend();
    },
    async close() {
      removed.close();
      await Promise.all([requestLog.close(), jobs.close()].map(politely));
    },
  };
}
