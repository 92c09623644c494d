import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import { fieldsOf } from '@diq/contracts/operations/result-fields.ts';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { LookedAtTask, LookStore, Seen } from '@diq/queue/tasks/look-store.ts';
import type { Settlement, SlotSaving, TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import type { DefenderReader, Unreadable } from '../defender/defender-reader.ts';
import type { QueueMetrics } from '../observability/metrics.ts';
import { createReadPause, type ReadPause } from './read-pause.ts';
import { seeCover, type CoverSeen } from './see-cover.ts';
import { seeMachines, type MachineSeen } from './see-machines.ts';
import { enoughFor, slotsAhead } from './slots-ahead.ts';

export interface LookAheadOptions {
  looks: LookStore;
  tasks: Pick<TaskStore, 'endLooked'>;
  jobs: Pick<JobQueue, 'removeAll' | 'add'>;
  /** Its reads use the part of the budget for what can be left out. */
  reader: DefenderReader;
  tokens: Pick<TokenProvider, 'get' | 'renewAfterRejection'>;
  profile: Pick<OperationProfile, 'records' | 'resultKind' | 'isReusable' | 'wording' | 'concurrency'>;
  /** Slots kept for critical requests. */
  reserve: number;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  metrics: Pick<QueueMetrics, 'slotsSaved'>;
  /** Tasks ended, and others are next. */
  onEnded(): void;
}

export type LookAhead = ReturnType<typeof createLookAhead>;

/** From one look that found nothing to look at to the next. */
const betweenMs = 250;
/** So long a call waits for a look at most. */
const longestHeldMs = 1_000;
/** Where looks take longer than that calls are made without for so long. */
const restMs = 60_000;
/** From one look at machines that are offline to the next. */
const offlineEveryMs = 10_000;
/** After an error on our side: Redis is away, as a rule. */
const afterErrorMs = 2_000;

/** The error of a request whose machine Defender does not know. */
const unknownMachine: RequestError = {
  code: 'machine_unknown',
  message: 'Defender does not know this machine. It was asked before the call, and no slot was used.',
};

/**
 * Asks Defender about the next tasks shortly before their slots open: whether it knows the machine, and whether something runs
 * already that does what is asked for. Such a task ends without a call.
 *
 * No slot that opens waits for it: a task that was not looked at in time is called. What comes while a slot is free waits for a
 * look for a second at most, and not if it is critical. It ends a task only by Defender's own word, seen
 * just now, and only while the task waits as it did then (`move-task.lua`).
 */
export function createLookAhead(options: LookAheadOptions) {
  const { looks, profile, logger, reserve } = options;
  const pauses = {
    machine: createReadPause(logger, 'looking at machines before their calls'),
    cover: createReadPause(logger, 'looking for what runs before a call'),
  };
  let notBeforeMs = 0;
  let failedUntilMs = 0;
  let offlineNotBeforeMs = 0;
  let isClosed = false;
  let underWay: Promise<void> | undefined;
  let heldSinceMs: number | undefined;

  /** What can be read now. */
  const wanted = () => ({
    machine: pauses.machine.isOver(),
    // Where another operation can have undone what runs, only a call is certain.
    cover: profile.isReusable && pauses.cover.isOver(),
  });

  async function look(slots: number): Promise<void> {
    const wants = wanted();
    if (!wants.machine && !wants.cover) return;
    const taken = await looks.take({ wants, slots, reserve, enough: enoughFor(slots) });
    if (taken.tasks.length === 0) {
      notBeforeMs = performance.now() + betweenMs;
      return;
    }
    const seen = await seeAll(taken.tasks, options, pauses);
    await conclude(taken.lookId, seen, options);
  }

  /** Whether machines are back whose tasks were put aside. */
  async function lookAtOffline(): Promise<void> {
    offlineNotBeforeMs = performance.now() + offlineEveryMs;
    const taken = await looks.takeOffline();
    if (taken.tasks.length > 0)
      await conclude(taken.lookId, await seeAll(taken.tasks, options, pauses), options);
  }

  function failed(error: unknown): void {
    failedUntilMs = performance.now() + afterErrorMs;
    logger.warn({ err: error }, 'look ahead failed; calls are made without');
  }

  function begin(act: () => Promise<void>): void {
    underWay = act()
      .catch(failed)
      .finally(() => (underWay = undefined));
  }

  async function takeNext(view: LedgerSnapshot, wants: ReturnType<typeof wanted>): Promise<boolean> {
    const slots = Math.max(1, slotsAhead(view));
    const taken = await looks.take({ wants, slots, reserve, enough: underWay ? 0 : slots });
    if (taken.tasks.length > 0)
      begin(async () => {
        await conclude(taken.lookId, await seeAll(taken.tasks, options, pauses), options);
        options.onEnded();
      });
    return taken.isNextOpen;
  }

  return {
    /**
     * Asked while a slot is free and a call would be made: whether it is to wait for a look. That is so for a second at most, while Defender
     * can be read; then calls are made without, for a while or until nothing is left to be called.
     */
    async holdsNext(view: LedgerSnapshot): Promise<boolean> {
      const wants = wanted();
      const nowMs = performance.now();
      if (isClosed || nowMs < failedUntilMs || (!wants.machine && !wants.cover)) return false;
      if (heldSinceMs !== undefined && nowMs - heldSinceMs >= restMs) heldSinceMs = undefined;
      if (heldSinceMs !== undefined && nowMs - heldSinceMs >= longestHeldMs) return false;
      // Redis may be full: a look is written down there, and calls are made without.
      const isHeld = await takeNext(view, wants).catch((error: unknown) => {
        failed(error);
        return false;
      });
      heldSinceMs = isHeld ? (heldSinceMs ?? nowMs) : undefined;
      return isHeld;
    },
    /**
     * Begins a look if slots open soon for tasks that were not looked at, or if machines that are offline are to be looked at again.
     * Never rejects, and is waited for by nothing.
     */
    attend(view: LedgerSnapshot, { ready, offline }: { ready: number; offline: number }): void {
      const nowMs = performance.now();
      if (ready === 0) heldSinceMs = undefined;
      if (isClosed || underWay || nowMs < Math.max(notBeforeMs, failedUntilMs)) return;
      if (offline > 0 && nowMs >= offlineNotBeforeMs && pauses.machine.isOver()) {
        begin(lookAtOffline);
        return;
      }
      const slots = ready === 0 ? 0 : slotsAhead(view);
      if (slots > 0) begin(() => look(slots));
    },
    /** Begins nothing more and waits for the look under way, whose reads end with their reader. */
    async close(): Promise<void> {
      isClosed = true;
      await underWay;
    },
  };
}

/** A task with what was seen of it; `undefined` for what was not asked. */
interface SeenTask {
  task: LookedAtTask;
  machine: MachineSeen | undefined;
  cover: CoverSeen | undefined;
}

async function seeAll(
  tasks: readonly LookedAtTask[],
  { reader, tokens, profile }: LookAheadOptions,
  pauses: Record<'machine' | 'cover', ReadPause>,
): Promise<SeenTask[]> {
  const got = await tokens.get();
  if (got.kind === 'unavailable') {
    const { retryAfterMs } = got;
    const failure = { reason: 'no_token', ...(retryAfterMs !== undefined && { retryAfterMs }) };
    for (const pause of Object.values(pauses)) pause.failed(failure);
    return [];
  }
  const { token } = got;
  const ofMachine = tasks.filter(({ needsMachine }) => needsMachine);
  const ofCover = tasks.filter(({ needsCover }) => needsCover);
  const machineIds = [...new Set(ofMachine.map(({ machineId }) => machineId))];
  const [machines, covers] = await Promise.all([
    machineIds.length === 0 ? new Map<string, MachineSeen>() : seeMachines(machineIds, token, reader),
    seeCover(ofCover, { token, reader, profile, nowMs: Date.now() }),
  ]);
  note([...machines.values()], pauses.machine);
  note(covers, pauses.cover);
  if ([...machines.values(), ...covers].some(isTokenRejected)) await tokens.renewAfterRejection(token);
  return tasks.map((task) => ({
    task,
    machine: task.needsMachine ? machines.get(task.machineId) : undefined,
    cover: covers[ofCover.indexOf(task)],
  }));
}

function note(seen: readonly (MachineSeen | CoverSeen)[], pause: ReadPause): void {
  const failure = seen.find((one) => one.kind === 'unreadable');
  if (failure) pause.failed(failure);
  else if (seen.length > 0) pause.worked();
}

function isTokenRejected(seen: MachineSeen | CoverSeen): seen is Unreadable {
  return seen.kind === 'unreadable' && seen.reason === 'token_rejected';
}

async function conclude(
  lookId: string,
  seen: readonly SeenTask[],
  { looks, tasks, jobs, profile, logger, metrics, onEnded }: LookAheadOptions,
): Promise<void> {
  const ended: string[] = [];
  const kept: Seen[] = [];
  await Promise.all(
    seen.map(async (one) => {
      const end = endOf(one);
      if (end === undefined) {
        kept.push(keptOf(one));
        return;
      }
      const { saving, settlement } = end;
      const { moved } = await tasks.endLooked(one.task.id, settlement, { lookId, saving });
      if (!moved) return;
      ended.push(one.task.id);
      metrics.slotsSaved.inc({ reason: saving });
      const { id: taskId, machineId } = one.task;
      logger.info({ taskId, machineId, reason: saving, ...fieldsOf(settlement.result) }, 'no slot needed');
    }),
  );
  const putsAside = profile.concurrency !== undefined;
  const [{ aside, back }] = await Promise.all([
    looks.record(lookId, kept, { putsAside }),
    jobs.removeAll(ended),
  ]);
  // One that is claimed meanwhile is called: nothing waits for a look.
  await Promise.all([jobs.removeAll(aside), jobs.add(back)]);
  if (aside.length > 0) logger.info({ taskIds: aside }, 'machines offline, others go first');
  if (back.length > 0) {
    const taskIds = back.map(({ taskId }) => taskId);
    logger.info({ taskIds }, 'machines report again, or are urgent: put back to their places');
  }
  if (ended.length + aside.length + back.length > 0) onEnded();
}

/** The end of a task that needs no call. What Defender says of the two must not contradict each other. */
function endOf({ machine, cover }: SeenTask): { saving: SlotSaving; settlement: Settlement } | undefined {
  if (cover?.kind === 'covered' && machine?.kind !== 'unknown') {
    const { result } = cover;
    const settlement = { status: 'started', result, attached: true, attempts: 0 } as const;
    return { saving: 'already_covered', settlement };
  }
  if (machine?.kind !== 'unknown' || cover?.kind === 'covered') return undefined;
  return { saving: 'machine_unknown', settlement: { status: 'failed', error: unknownMachine, attempts: 0 } };
}

function keptOf({ task, machine, cover }: SeenTask): Seen {
  return {
    taskId: task.id,
    warnings: machine?.kind === 'known' ? machine.warnings : undefined,
    isUncovered: cover?.kind === 'uncovered',
  };
}
