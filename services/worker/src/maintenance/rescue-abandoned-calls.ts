import { z } from 'zod';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { requestError } from '@diq/contracts/request-document.ts';
import { unresolvedCauses } from '@diq/queue/tasks/task-store.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';
import { aboutTask } from '../observability/about-task.ts';
import { endUnreadable, readTask } from '../execution/dead-letter.ts';
import { abandonedCall } from '../execution/outcome-policy.ts';
import type { OutcomePolicy } from '../execution/outcome-policy.ts';
import { moveRequests } from '../execution/move-requests.ts';

export interface RecoveryOptions {
  ledger: Ledger;
  tasks: TaskStore;
  jobs: JobQueue;
  logger: Logger;
  /** How long after its permit was spent a call can at most be under way. */
  permitTimeoutMs: number;
  /** How long after that Defender is asked for the first time what became of the call. */
  firstQueryInMs: number;
}

/** Tasks per round; there are hardly ever more calls in flight than the quota allows. */
const perRound = 100;

/** What a worker wrote beside a call's outcome, see `record` in task-steps. */
const recordedRequests = z.union([
  z.object({
    kind: z.literal('settle'),
    settlement: z.object({
      status: z.enum(['started', 'failed', 'unknown', 'cancelled', 'expired']),
      investigationId: z.string().optional(),
      attached: z.boolean().optional(),
      error: requestError.optional(),
      attempts: z.number(),
    }),
  }),
  z.object({ kind: z.literal('give-back') }),
  z.object({
    kind: z.literal('reconcile'),
    unresolved: z.object({ cause: z.enum(unresolvedCauses), error: requestError }),
  }),
]);

/**
 * Finishes what a worker that died in mid-call left behind: a task in "in_flight" whose call can no longer be under
 * way. With the outcome in the ledger it is stored as it was; without one it is not known what Defender made of the
 * call, and Defender is asked. Any number of workers may do this at the same time.
 *
 * @returns how many tasks were finished
 */
export async function rescueAbandonedCalls(options: RecoveryOptions): Promise<number> {
  const { ledger, tasks, logger, permitTimeoutMs } = options;
  const { nowMs, isLost, holdsOn } = await ledger.snapshot();
  // What is known of the calls may still be handed over.
  if (isLost || holdsOn.includes('failover')) return 0;
  const ids = await tasks.inFlightSince(nowMs - permitTimeoutMs, perRound);
  let finished = 0;
  for (const id of ids) {
    try {
      const task = await readTask(id, tasks);
      if (task === undefined || task === 'unreadable') {
        if (await endUnreadable(id, options)) finished += 1;
        continue;
      }
      if (task.state !== 'in_flight' || task.callId === undefined) continue;
      logger.warn({ ...aboutTask(task), callId: task.callId }, 'finished for a dead worker');
      await finishCall(id, task.callId, options);
      finished += 1;
    } catch (error) {
      // One that cannot be finished must not keep the others waiting for ever.
      logger.error({ err: error, taskId: id }, 'could not be finished for a dead worker');
    }
  }
  return finished;
}

/** Stores what the ledger knows of a call for the task that is in its hands. */
export async function finishCall(id: string, callId: string, options: RecoveryOptions): Promise<void> {
  const { ledger, tasks, jobs, logger, firstQueryInMs } = options;
  const requests = await requestsAfter(callId, ledger);
  const { moved } = await moveRequests(tasks, { id, callId }, requests, firstQueryInMs);
  logger.info({ taskId: id, callId, requests, moved }, 'outcome of a call stored from the ledger');
  if (!moved) return;
  if (requests.kind === 'give-back') await jobs.add(await tasks.ranksOf([id]));
  else await jobs.remove(id);
}

async function requestsAfter(callId: string, ledger: Ledger): Promise<OutcomePolicy['requests']> {
  const call = await ledger.findCall(callId);
  const recorded = readRecorded(call?.facts?.['requests']);
  if (recorded) return recorded;
  const requests = { kind: 'reconcile' as const, unresolved: abandonedCall };
  const facts = { requests: JSON.stringify(requests) };
  await ledger.recordAnswer(callId, { outcome: 'lost', facts });
  return requests;
}

/** `undefined` also for what another version wrote: then it is not known what Defender made of the call. */
function readRecorded(text: string | number | undefined): OutcomePolicy['requests'] | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    // Parsed from JSON, which has no undefined.
    return recordedRequests.safeParse(JSON.parse(text)).data as OutcomePolicy['requests'] | undefined;
  } catch {
    return undefined;
  }
}
