import { z } from 'zod';
import { requestError } from '@diq/contracts/request-document.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { unresolvedCauses } from '@diq/queue/tasks/task-store.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { abandonedCall } from './outcome-policy.ts';
import type { OutcomePolicy } from './outcome-policy.ts';
import { moveRequests } from './record-outcome.ts';

export interface FinishCallOptions {
  ledger: Ledger;
  tasks: TaskStore;
  jobs: JobQueue;
  logger: Logger;
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

/** Stores the outcome that the ledger knows of a call, for the task that the call was made for. */
export async function finishCall(id: string, callId: string, options: FinishCallOptions): Promise<void> {
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
