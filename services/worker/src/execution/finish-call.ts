import { z } from 'zod';
import { requestError } from '@diq/contracts/request-document.ts';
import { resultKinds, type Wording } from '@diq/contracts/operations/profile.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { unresolvedCauses, type TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { abandonedCall, type OutcomePolicy } from './outcome-policy.ts';
import { moveRequests } from './record-outcome.ts';
import type { LedgerCall } from '@diq/quota/ledger/replies.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { persistently } from '@diq/runtime/async/retry-until-aborted.ts';

export interface FinishCallOptions {
  ledger: Ledger;
  tasks: TaskStore;
  jobs: JobQueue;
  logger: Logger;
  /** Of the operation that is called. */
  wording: Wording;
  /** How long after its permit was spent a call can at most be under way. */
  permitTimeoutMs: number;
  /** How long after that Defender is asked for the first time what became of the call. */
  firstQueryInMs: number;
}

/** What a worker wrote beside a call's outcome, see `record` in task-steps. */
const recordedRequests = z.union([
  z.object({
    kind: z.literal('settle'),
    settlement: z.object({
      status: z.enum(['started', 'failed', 'unknown', 'cancelled', 'expired']),
      result: z.object({ kind: z.enum(resultKinds), id: z.string() }).optional(),
      attached: z.boolean().optional(),
      error: requestError.optional(),
      attempts: z.number(),
    }),
  }),
  z.object({ kind: z.literal('give_back') }),
  z.object({
    kind: z.literal('reconcile'),
    unresolved: z.object({ cause: z.enum(unresolvedCauses), error: requestError }),
  }),
]);

/** Stores the outcome that the ledger knows of a call, for the task that the call was made for. */
export async function finishCall(id: string, callId: string, options: FinishCallOptions): Promise<void> {
  const { ledger, tasks, jobs, logger, wording, firstQueryInMs } = options;
  const requests = await requestsAfter(callId, ledger, wording);
  const { moved } = await moveRequests(tasks, { id, callId }, requests, firstQueryInMs);
  logger.info({ taskId: id, callId, requests, moved }, 'outcome of a call stored from the ledger');
  if (!moved) return;
  if (requests.kind === 'give_back') await jobs.add(await tasks.jobPrioritiesOf([id]));
  else await jobs.remove(id);
}

async function requestsAfter(
  callId: string,
  ledger: Ledger,
  wording: Wording,
): Promise<OutcomePolicy['requests']> {
  const call = await ledger.findCall(callId);
  const recorded = readRecorded(call?.facts?.['requests']);
  if (recorded) return recorded;
  const requests = { kind: 'reconcile' as const, unresolved: abandonedCall(wording) };
  const facts = { requests: JSON.stringify(requests) };
  await ledger.recordAnswer(callId, { outcome: 'lost', facts });
  return requests;
}

/** `undefined` also for a record of another version: then the outcome is unresolved. */
function readRecorded(text: string | number | undefined): OutcomePolicy['requests'] | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    // Parsed from JSON, which has no undefined.
    return recordedRequests.safeParse(JSON.parse(text)).data as OutcomePolicy['requests'] | undefined;
  } catch {
    return undefined;
  }
}

/** Restored at the same time; each takes a few round trips. */
const atOnce = 20;
/** What is not restored by then is restored when its job is claimed. */
const triedForMs = 60_000;

/**
 * Assigns a task again to the call that was made for it, after Redis lost that: the call is not made again, and the
 * requests get the outcome that the ledger knows. Safe to repeat, and done by any number of workers at the same time.
 */
export async function restoreCall(call: LedgerCall, options: FinishCallOptions): Promise<void> {
  const { tasks, logger } = options;
  if (!call.mayRepeat && !(await belongsToCall(call, tasks, logger))) return;
  // While it is under way, the worker that made it stores what comes of it; if that one is gone, the recovery does.
  if (call.outcome !== 'in_flight') await finishCall(call.taskId, call.callId, options);
}

/** Restores, in the background, calls that the ledger had lost and this worker knew. */
export function createRestore(options: FinishCallOptions, closing: AbortSignal) {
  const restoring = createOutageLog(options.logger, 'restoring calls that Redis had lost');
  return (calls: readonly LedgerCall[]): void => {
    const signal = AbortSignal.any([closing, AbortSignal.timeout(triedForMs)]);
    const restore = restoring.watched(() => restoreAll(calls, options));
    void persistently(restore, { signal, onFailure: (error) => restoring.failed(error) }).catch(
      () => undefined,
    );
  };
}

async function restoreAll(calls: readonly LedgerCall[], options: FinishCallOptions): Promise<void> {
  const left = [...calls];
  const restoreOn = async () => {
    for (let call = left.shift(); call; call = left.shift()) await restoreCall(call, options);
  };
  await Promise.all(Array.from({ length: atOnce }, restoreOn));
}

async function belongsToCall(
  { callId, taskId, machineId, spentAt, outcome }: LedgerCall,
  tasks: TaskStore,
  logger: Logger,
): Promise<boolean> {
  const resumed = await tasks.resume(taskId, callId, spentAt);
  if (resumed.moved) {
    logger.warn({ taskId, machineId, callId, outcome }, 'Redis had lost that this call was made, restored');
    return true;
  }
  if (resumed.state === 'missing') {
    const about = { taskId, machineId, callId, outcome };
    logger.error(about, 'call made for a request that Redis has lost');
  }
  return resumed.callId === callId && resumed.state !== 'settled';
}
