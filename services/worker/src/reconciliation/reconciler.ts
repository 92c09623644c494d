import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import { fieldsOf } from '@diq/contracts/operations/result-fields.ts';
import type { Task, UnresolvedOutcome } from '@diq/queue/tasks/task-store.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';
import { correlationTokenOf } from '../defender/correlation-token.ts';
import { aboutTask } from '../observability/transition-log.ts';
import { endUnreadable, readTask } from '../execution/dead-letter.ts';
import type { FinishCallOptions } from '../execution/finish-call.ts';
import type { ReconciliationOutcome, QueueMetrics } from '../observability/metrics.ts';
import type { UnresolvedCall } from './finding.ts';
import type { LookedUp } from './query-defender.ts';
import { nextStep, type ReconcileRules, type Step } from './resolution-policy.ts';

export interface ReconcilerOptions extends Pick<
  FinishCallOptions,
  'tasks' | 'jobs' | 'logger' | 'permitTimeoutMs'
> {
  ledger: Pick<Ledger, 'allowRepeat'>;
  /** One look in Defender. */
  lookUp(call: UnresolvedCall): Promise<LookedUp>;
  metrics: Pick<QueueMetrics, 'reconciliations'>;
  /** The application that calls. */
  clientId: string;
  rules: ReconcileRules;
  profile: Pick<OperationProfile, 'resultKind' | 'wording'>;
  /** For how long one look keeps other workers from the same call; longer than its reads take. */
  lookTimeoutMs: number;
}

export type Reconciler = ReturnType<typeof createReconciler>;

/** A call whose outcome is being looked up, with all that the search needs. */
type Unresolved = Task & { callId: string; sentAtMs: number; unresolved: UnresolvedOutcome };

const noLook = { finding: undefined, retryAfterMs: undefined, because: undefined };

/** Asks Defender what became of calls whose answer was lost, until it shows them or the grace is over. */
export function createReconciler(options: ReconcilerOptions) {
  const { tasks, logger, clientId, permitTimeoutMs, rules, profile } = options;
  let isClosed = false;
  /** Until when no read can be made; on the clock of this process. */
  let pacedUntilMs = 0;

  async function query(id: string, nowMs: number): Promise<void> {
    const task = await readTask(id, tasks);
    if (task === undefined || task === 'unreadable') {
      await endUnreadable(id, options);
      return;
    }
    if (!isUnresolved(task)) return;
    const { machineId, parameters, sentAtMs, unresolved, unresolvedSinceMs = sentAtMs, calls } = task;
    const call = {
      machineId,
      parameters,
      correlationToken: correlationTokenOf(id),
      sentAtMs,
      cause: unresolved.cause,
      arrivedByMs: sentAtMs + permitTimeoutMs,
      clientId,
      reported: new Set(await tasks.reportedOf(machineId)),
    };
    const found = await options.lookUp(call);
    if (found.kind === 'unreadable' && found.reason === 'paced') {
      // That was no look: waiting for a read uses up nothing of the time for which Defender is asked.
      const { retryAfterMs = 0 } = found;
      pacedUntilMs = performance.now() + retryAfterMs;
      await tasks.rescheduleQuery(id, task.callId, nowMs + retryAfterMs);
      return;
    }
    logger.debug({ ...aboutTask(task), callId: task.callId, found }, 'looked up in Defender');
    const { finding, retryAfterMs, because } = { ...noLook, ...found };
    const known = { unresolved, calls, unresolvedSinceMs, nowMs, finding, retryAfterMs, because };
    const step = nextStep(known, rules, profile);
    const moved = await take(step, task, options);
    if (moved && step.kind !== 'reschedule_query') report(step, task, options);
  }

  return {
    /**
     * Queries Defender for every call whose next query is due, as far as the budget of reads goes. Any number of workers may do
     * this at the same time.
     */
    async queryDue(): Promise<void> {
      while (!isClosed && performance.now() >= pacedUntilMs) {
        const { id, nowMs } = await tasks.takeDue(options.lookTimeoutMs);
        if (id === undefined) return;
        try {
          await query(id, nowMs);
        } catch (error) {
          // Comes back after its look's time; the others must not wait for it.
          logger.error({ err: error, taskId: id }, 'query for a lost answer failed');
        }
      }
    },
    /** Begins no further query. One under way ends with its reader. */
    close(): void {
      isClosed = true;
    },
  };
}

function isUnresolved(task: Task): task is Unresolved {
  return (
    task.state === 'reconciling' &&
    task.callId !== undefined &&
    task.sentAtMs !== undefined &&
    task.unresolved !== undefined
  );
}

/** @returns false when the task is in other hands by now */
async function take(
  step: Step,
  { id, callId, jobPriority }: Unresolved,
  { ledger, tasks, jobs }: ReconcilerOptions,
): Promise<boolean> {
  if (step.kind === 'reschedule_query') return tasks.rescheduleQuery(id, callId, step.atMs);
  if (step.kind === 'settle') return (await tasks.settle(id, callId, step.settlement)).moved;
  // First: a task whose call the ledger does not allow again would wait for ever.
  await ledger.allowRepeat(callId);
  const { moved } = await tasks.giveBack(id, callId);
  if (moved) await jobs.add([{ taskId: id, jobPriority }]);
  return moved;
}

function report(
  step: Exclude<Step, { kind: 'reschedule_query' }>,
  task: Unresolved,
  { metrics, logger }: ReconcilerOptions,
): void {
  const { callId, calls, unresolved } = task;
  const outcome: ReconciliationOutcome = step.kind === 'settle' ? step.outcome : 'retried';
  metrics.reconciliations.inc({ outcome });
  const { result } = step.kind === 'settle' ? step.settlement : {};
  logger.info(
    { ...aboutTask(task), callId, calls, code: unresolved.error.code, outcome, ...fieldsOf(result) },
    'reconciled with Defender',
  );
}
