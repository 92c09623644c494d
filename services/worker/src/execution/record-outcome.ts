import type { TaskStore, Moved } from '@diq/queue/tasks/task-store.ts';
import type { ThrottleCause } from '@diq/quota/ledger/answers-and-holds.ts';
import type { Answer, HoldDetails, Ledger, Recorded, Verdict } from '@diq/quota/ledger/ledger.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { aboutTask } from '../observability/transition-log.ts';
import { requestsBy, type OutcomePolicy } from './outcome-policy.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import { statedQuotaIn } from '../defender/read-error-details.ts';
import type { QueueMetrics } from '../observability/metrics.ts';
import type { Call } from './execute-task.ts';
import type { SetHold } from './suspension-policy.ts';

export interface RecordOutcomeOptions {
  ledger: Ledger;
  tasks: TaskStore;
  metrics: Pick<QueueMetrics, 'throttled'>;
  logger: Logger;
  /** From the loss of an answer until Defender is asked for the first time what became of the call. */
  firstQueryInMs: number;
  hold: SetHold;
  /** Undoes a call that was not made. */
  giveBack(call: Call): Promise<void>;
  /** Called when the ledger has recorded it, with the time from which its windows run, by the clock of Redis. */
  onCounted?: ((fromMs: number) => void) | undefined;
}

/** Outcomes that show Defender to be at work: what failed in a row before is over. */
const isWorking: ReadonlySet<CallOutcome['kind']> = new Set([
  'started',
  'machine_not_found',
  'refused',
  'already_running',
]);

/**
 * Stores the outcome of a call; safe to repeat. The ledger comes first: if this process ends in between, another worker
 * finishes the task from the ledger's record, and the ledger's verdict on a refusal decides what follows here.
 */
export async function recordOutcome(
  call: Call,
  outcome: CallOutcome,
  policy: OutcomePolicy,
  { ledger, tasks, metrics, logger, hold, giveBack, firstQueryInMs, onCounted }: RecordOutcomeOptions,
): Promise<Verdict> {
  const { callId, task } = call;
  const { permit, hold: held } = policy;
  const recorded =
    permit === 'spent' ? await ledger.recordAnswer(callId, answerOf(outcome, policy)) : undefined;
  if (recorded) onCounted?.(recorded.countsFromMs);
  if (permit === 'spent' && !recorded) {
    logger.error({ callId, ...aboutTask(task), outcome }, 'the ledger has lost this call');
  }
  const { verdict = 'shared', cause = 'unclear', throttledInMs } = recorded ?? {};
  const requests = requestsBy(verdict, policy);
  if (held && held.reason !== 'paused' && verdict !== 'own') {
    await hold(
      held.reason,
      held.length === 'growing' ? undefined : held.length.forMs,
      detailsOf(outcome, cause, throttledInMs),
    );
  }
  const move = () => moveRequests(tasks, { id: task.id, callId }, requests, firstQueryInMs);
  let moved = await move();
  if (isForgotten(moved, requests, recorded)) {
    // After a failover to a lagging replica the task is `waiting` again: there, this call was never begun.
    await tasks.resume(task.id, callId, recorded?.spentAtMs ?? Date.now() - outcome.durationMs);
    moved = await move();
  }
  if (permit === 'unspent') await giveBack(call);
  if (isLost(moved)) {
    logger.error(
      { callId, ...aboutTask(task), outcome, state: moved.state },
      'outcome arrived too late to be stored',
    );
  }
  // At the end: the steps before are repeated when they fail, and a call is counted once.
  if (outcome.kind === 'throttled') metrics.throttled.inc({ cause });
  return verdict;
}

/** Moves a task as the policy says: for the worker that made the call, or for one that died. */
export function moveRequests(
  tasks: TaskStore,
  { id, callId }: { id: string; callId: string },
  requests: OutcomePolicy['requests'],
  firstQueryInMs: number,
): Promise<Moved> {
  if (requests.kind === 'settle') return tasks.settle(id, callId, requests.settlement);
  if (requests.kind === 'give_back') return tasks.undo(id, callId);
  return tasks.reconcile(id, callId, requests.unresolved, firstQueryInMs);
}

function answerOf(outcome: CallOutcome, { requests, refusal }: OutcomePolicy): Answer {
  const statedQuota = outcome.kind === 'throttled' ? statedQuotaIn(outcome.errorMessage) : undefined;
  return {
    outcome: outcome.kind,
    facts: factsOf(requests, outcome),
    mayRepeat: requests.kind === 'give_back',
    ...(isWorking.has(outcome.kind) && { shows: 'good' }),
    ...(outcome.kind === 'token_rejected' && { shows: 'unresolved' }),
    ...(refusal && { shows: refusal.rule, factsIfOwn: factsOf(refusal.ifOwn, outcome) }),
    ...(statedQuota && { statedQuota }),
    ...(outcome.kind === 'throttled' &&
      outcome.retryAfterMs !== undefined && { retryAfterMs: outcome.retryAfterMs }),
  };
}

function factsOf(requests: OutcomePolicy['requests'], outcome: CallOutcome): Answer['facts'] {
  return { requests: JSON.stringify(requests), ...('status' in outcome && { httpStatus: outcome.status }) };
}

function detailsOf(outcome: CallOutcome, cause: ThrottleCause, windowMs: number | undefined): HoldDetails {
  if (!('status' in outcome)) return {};
  const { status: httpStatus, errorCode: code } = outcome;
  return { httpStatus, code, ...(outcome.kind === 'throttled' && { throttleCause: cause, windowMs }) };
}

function isForgotten(
  moved: Moved,
  { kind }: OutcomePolicy['requests'],
  recorded: Recorded | undefined,
): boolean {
  const waits = !moved.moved && moved.state === 'waiting';
  return waits && (kind === 'settle' || (kind === 'reconcile' && recorded?.mayRepeat !== true));
}

/** A task that was given back earlier, or by another worker, is no loss. */
function isLost(moved: Moved): moved is Extract<Moved, { moved: false }> {
  return !moved.moved && moved.state !== 'waiting';
}
