import { profileOf } from '@diq/contracts/operations/index.ts';
import type { Pause } from '@diq/queue/operations/queue-pause.ts';
import type { QueueFigures } from '@diq/queue/operations/queue-figures.ts';
import { freeSlots, nextSlotAtMs } from '@diq/quota/forecast.ts';
import type { LimitState, SlotInUse } from '@diq/quota/ledger/replies.ts';
import { freeSlotsOf, nextSlotOf, scarcestLimit } from '@diq/quota/limits.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import { describeHold } from './hold-view.ts';
import { isoTime, startNotBeforeMs } from '../estimates/forecast-start.ts';
import {
  beingCalled,
  drainedAtMs,
  oldestWaitSeconds,
  type QueueState,
  type WorkerReport,
} from '../estimates/queue-state.ts';

/** Quota and queue as callers get them. Times are of Redis' clock. */
export function describeQuota(
  state: QueueState,
  pause: Pause | undefined,
  { tenant, operation }: Pick<Queue, 'tenant' | 'operation'>,
) {
  const { limits, slotsInUse, hold } = state.view;
  const scarcest = scarcestLimit(state.view);
  return {
    tenant,
    operation,
    limits: limits.map((limit) => describeLimit(limit, state.view.nowMs)),
    limit: scarcest.calls,
    windowSeconds: scarcest.windowMs / 1_000,
    used: scarcest.used,
    remaining: freeSlots(state.view),
    nextSlotAt: isoTime(nextSlotAtMs(state.view)) ?? null,
    hold: hold ? describeHold(hold, profileOf(operation)) : null,
    pause: describePause(pause),
    workers: describeWorkers(state.workers),
    slots: slotsInUse.map(describeSlot),
    slotsSaved: describeSaved(state.backlog),
    blocked: describeBlocked(state),
    queue: describeQueue(state),
  };
}

/** What waits for something else than a slot. */
function describeBlocked({ view: { running }, backlog: { aside } }: QueueState) {
  return {
    ...aside,
    concurrency: running === undefined ? null : { running: running.now, limit: running.most },
  };
}

/** `open` counts results, `byOutcome` the requests that share them, as long as these are kept. */
export function describeResults(
  { backlog }: Pick<QueueState, 'backlog'>,
  byOutcome: QueueFigures['byOutcome'],
) {
  return { open: backlog.openResults, byOutcome };
}

function describeLimit(limit: LimitState, nowMs: number) {
  return {
    calls: limit.calls,
    windowSeconds: limit.windowMs / 1_000,
    used: limit.used,
    remaining: freeSlotsOf(limit),
    nextSlotAt: isoTime(nextSlotOf(limit, nowMs)) ?? null,
  };
}

function describeWorkers({ state, alive, lastSeenAtMs }: WorkerReport) {
  return { state, alive, lastSeenAt: isoTime(lastSeenAtMs) ?? null };
}

/** `at` is when the permit was spent, `freeAt` when it comes back. */
function describeSlot({ freeAtMs, call }: SlotInUse) {
  return {
    at: isoTime(call?.spentAt) ?? null,
    machineId: call?.machineId ?? null,
    // The call's record is gone; its permit counts all the same.
    outcome: call?.outcome ?? 'unknown',
    freeAt: isoTime(freeAtMs) ?? null,
  };
}

function describeSaved({ slotsSaved }: QueueState['backlog']) {
  return { machineUnknown: slotsSaved.machine_unknown, alreadyCovered: slotsSaved.already_covered };
}

function describeQueue(state: QueueState) {
  const { counts, lookingUp, waitingTasks } = state.backlog;
  // Of workers that stand still no time follows.
  const isKnown = waitingTasks > 0 && state.workers.state !== 'stalled';
  return {
    queued: counts.queued,
    dispatching: beingCalled(state.backlog),
    lookingUp,
    oldestWaitSeconds: oldestWaitSeconds(state),
    expectedDrainAt: isoTime(isKnown ? drainedAtMs(state) : undefined) ?? null,
    startNotBefore: isoTime(startNotBeforeMs(state.view)) ?? null,
  };
}

/** A pause as callers get it; `until` is null for one that lasts until the queue is resumed. */
export function describePause(pause: Pause | undefined) {
  if (!pause) return null;
  const { by, displayName, reason, sinceMs, untilMs } = pause;
  return { by, displayName, reason, since: isoTime(sinceMs), until: isoTime(untilMs) ?? null };
}
