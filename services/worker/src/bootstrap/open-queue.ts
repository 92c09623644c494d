import { profileOf } from '@diq/contracts/operations/index.ts';
import { claimLayout } from '@diq/queue/layout.ts';
import { createNameStore } from '@diq/queue/tasks/name-store.ts';
import { createLookStore } from '@diq/queue/tasks/look-store.ts';
import { createOfflineTasks } from '@diq/queue/tasks/offline-tasks.ts';
import { createReadNeeds } from '../scheduling/queue-needs.ts';
import { createJobRepositioning } from '@diq/queue/scheduling/job-queue.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import { createProcessJob } from '../execution/process-job.ts';
import { createNameLookup } from '../look-ahead/name-lookup.ts';
import { createLookAhead } from '../look-ahead/look-ahead.ts';
import { openLedger } from '../maintenance/bootstrap-ledger.ts';
import { createMaintenance } from '../maintenance/maintenance.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createQueueLooks } from '../scheduling/queue-looks.ts';
import { createPollTurns } from '../scheduling/poll-turns.ts';
import { criticalReserve } from '../scheduling/reserved-slots.ts';
import { longestLookMs } from './open-tenant.ts';
import type { LetGoQueue, OpenedQueue } from '../scheduling/served-queue.ts';
import {
  createCallMemory,
  createQueueParts,
  type CallMemory,
  type OpenQueueOptions,
  type QueueParts,
} from './queue-parts.ts';

const sayGoodbyeMs = 300;

/**
 * Opens a queue: claims its layout, opens its ledger, and makes what serves it. Nothing of it runs by itself: all is done at
 * its looks.
 *
 * @param memory of the same queue, if it was open before
 * @param before what was under way when it was let go: waited for when it is closed
 * @throws LayoutError  @throws Error while Redis cannot serve; then nothing is left open
 */
export async function openQueue(
  options: OpenQueueOptions,
  memory: CallMemory = createCallMemory(options),
  before: Promise<void> = Promise.resolve(),
): Promise<OpenedQueue> {
  const { queue, redis, config, logger, metrics, signals } = options;
  await claimLayout(redis.ledger, queue.keySpace);
  const closing = new AbortController();
  const parts = createQueueParts(options, memory, AbortSignal.any([signals.closing, closing.signal]));
  const {
    snapshot,
    isRebuilding,
    close: endColdStart,
  } = await openLedger(parts.opening).catch(async (error: unknown) => {
    await parts.close();
    throw error;
  });

  const { jobs, claimer, limiter, aside, steps, tasks } = parts;
  const maintenance = createMaintenance({
    ...parts.shared,
    aside,
    turns: parts.turns,
    offline: createOfflineTasks(redis.ledger, queue.keySpace, { followsResults: config.followUp }),
    mostOffline: parts.room?.offlineCalls,
    claimer,
    lookUp: (call) => options.tenant.lookUp(call, profileOf(queue.operation).records),
    clientId: options.tenant.clientId,
    profile: profileOf(queue.operation),
    rules: config.reconcile,
    lookTimeoutMs: longestLookMs,
    ...(config.followUp && { followUp: options.tenant.followUp }),
  });
  const { list } = profileOf(queue.operation).records;
  const followed = { operation: queue.operation, list, results: parts.results, metrics, logger };
  const unfollow = config.followUp ? options.tenant.followUp.add(followed) : undefined;
  const lookAhead = config.lookBeforeCall ? openLookAhead(options, parts) : undefined;
  const nameLookup = openNameLookup(options, parts);
  const polling = createOutageLog(logger, 'polling queue and ledger');
  const looks = createQueueLooks({
    claimLayout: () => claimLayout(redis.ledger, queue.keySpace),
    snapshot,
    follow: config.followUp ? () => options.tenant.followUp.check() : undefined,
    nextResultMs: () => parts.results.nextReadAtMs(),
    readNeeds: createReadNeeds(redis.ledger, queue.keySpace, { followsResults: config.followUp }),
    mostRunning: parts.room?.calls,
    maintenance,
    onSeen(view, { ready, offline, unresolved }) {
      nameLookup.attend(unresolved);
      lookAhead?.attend(view, { ready, offline });
    },
    createTurns: (sight) =>
      createPollTurns({
        ...sight,
        tryAcquire: () => limiter.tryAcquire(),
        prepare: () => void limiter.prepare().catch(() => undefined),
        claim: () => claimer.claim(),
        serve: createProcessJob({ tasks, steps, aside, logger }),
        ...criticalReserve(queue, { jobs, tasks }),
        ...(lookAhead && { holdsNext: lookAhead.holdsNext }),
        maxInFlight: parts.mostInFlight,
        longestMs: options.longestMs,
        onServed: options.onServed,
        onIdle: (seconds) => metrics.slotIdle.inc(seconds),
        onTurn: () => polling.worked(),
        onError: (error) => polling.failed(error),
      }),
  });

  async function end(): Promise<void> {
    // By itself the reason is an error with a stack, which takes as long as all the rest.
    closing.abort('closed');
    endColdStart();
    unfollow?.();
    await Promise.all([maintenance.close(), lookAhead?.close(), nameLookup.close()]);
    await parts.close();
  }

  return {
    ...looks,
    isRebuilding,
    letGo() {
      const ended = Promise.allSettled([before, looks.stop().then(end)]);
      // What they brought would stay in memory, that of all times before in that of the last.
      return letGo(
        options,
        memory,
        ended.then(() => undefined),
      );
    },
    /** Finishes the calls under way, says goodbye and lets go of everything. */
    async close(): Promise<void> {
      await looks.stop();
      await sayGoodbye(memory);
      await Promise.all([end(), before]);
    },
  };
}

/** Made here, where nothing is in sight that would stay in memory with it. */
function letGo(options: OpenQueueOptions, memory: CallMemory, ended: Promise<void>): LetGoQueue {
  return {
    open: () => openQueue(options, memory, ended),
    leave: async () => void (await Promise.all([sayGoodbye(memory), ended])),
  };
}

/** The status shows at once that this worker is gone; without it, some seconds later. */
async function sayGoodbye({ ledger }: CallMemory): Promise<void> {
  await within(ledger.leave(), sayGoodbyeMs).catch(() => undefined);
}

function openLookAhead(
  { queue, tenant, redis, config, onServed }: OpenQueueOptions,
  { shared, tasks, jobs }: QueueParts,
) {
  return createLookAhead({
    ...shared,
    looks: createLookStore(redis.ledger, queue.keySpace, config.retentionMs),
    tasks,
    jobs,
    reader: tenant.lookReader,
    profile: profileOf(queue.operation),
    reserve: queue.reserveForCritical,
    onEnded: onServed,
  });
}

function openNameLookup(
  { queue, tenant, redis, config }: OpenQueueOptions,
  { shared, tasks, jobs }: QueueParts,
) {
  const { retentionMs } = config;
  return createNameLookup({
    ...shared,
    names: createNameStore(redis.ledger, queue.keySpace, { retentionMs }),
    looks: createLookStore(redis.ledger, queue.keySpace, retentionMs),
    tasks,
    jobs,
    reposition: createJobRepositioning(redis.ledger, queue.keySpace, jobs),
    reader: tenant.lookReader,
  });
}
