import type { Request, RequestHandler } from 'express';
import { fieldFaults } from '@diq/contracts/field-fault.ts';
import { investigationBatch } from '@diq/contracts/investigation-batch.ts';
import type { InvestigationBatch } from '@diq/contracts/investigation-batch.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { AcceptedRequest } from '@diq/queue/accept-requests.ts';
import type { AppParts } from '../../app-parts.ts';
import { describeFaults } from '../../describe-faults.ts';
import type { DoorOutcomes } from '../../metrics.ts';
import { ProblemError } from '../../problem-error.ts';
import { drainedAtMs } from '../../queue-state.ts';
import { retryAfterSeconds } from '../../retry-after.ts';
import { isRefused, sortItems } from '../../sort-items.ts';
import type { ItemError, RefusedItem } from '../../sort-items.ts';

type Entry = InvestigationItem | RefusedItem;

/** What became of one item, in the order in which they were posted. */
export type ItemAnswer =
  | { index: number; id: string; machineId: string; status: 'accepted' }
  | { index: number; id: string; machineId: string; status: 'coalesced'; coalescedWith: string }
  | { index: number; machineId?: string; status: 'rejected'; error: ItemError };

/**
 * `POST /v1/batches`. Answers 202 once Redis has acknowledged every acceptable item. Of the counts, `accepted` got a
 * dispatch of their own and `coalesced` joined one; with `rejected` they add up to the number of items posted.
 */
export function submitBatch(parts: Pick<AppParts, 'intake' | 'metrics' | 'readState'>): RequestHandler {
  return async (request, response) => {
    const nowMs = Date.now();
    const entries = await sortItems(parseEnvelope(request.body), nowMs);
    if (entries.every(isRefused)) {
      parts.metrics.countOutcomes({ accepted: 0, coalesced: 0, rejected: entries.length });
      throw noAcceptableItem(entries);
    }
    const { batchId, accepted } = await parts.intake.acceptBatch(entries, nowMs);
    const items = entries.map((entry, index) => answerFor(index, entry, accepted[index]));
    const counts = countOutcomes(items);
    parts.metrics.countOutcomes(counts);
    logAccepted(request, batchId, counts, items);
    response
      .status(202)
      .location(`/v1/batches/${batchId}`)
      .set('Operation-Location', `/v1/batches/${batchId}`)
      .set('Retry-After', retryAfterSeconds(await drainsInMs(parts)))
      .json({ id: batchId, status: 'running', counts, items });
  };
}

function parseEnvelope(body: unknown): InvestigationBatch {
  const parsed = investigationBatch.safeParse(body, { reportInput: true });
  if (parsed.success) return parsed.data;
  const errors = fieldFaults(parsed.error);
  throw new ProblemError('invalid_request', { detail: describeFaults(errors, 'the body'), errors });
}

/** Items whose faults are told when all are refused; they tend to share one mistake. */
const maxItemsTold = 20;

function noAcceptableItem(entries: readonly RefusedItem[]): ProblemError {
  const errors = entries.slice(0, maxItemsTold).flatMap(({ rejected: { index, error } }) =>
    error.errors.map(({ path, message }) => ({
      path: path === '' ? `requests[${index}]` : `requests[${index}].${path}`,
      message,
    })),
  );
  return new ProblemError('no_acceptable_item', { detail: describeFaults(errors, 'the item'), errors });
}

function answerFor(index: number, entry: Entry, accepted: AcceptedRequest | undefined): ItemAnswer {
  if (isRefused(entry)) return { ...entry.rejected, status: 'rejected' };
  if (!accepted) throw new Error('an acceptable item was given no request');
  const { id, coalescedWith } = accepted;
  const { machineId } = entry;
  return coalescedWith === undefined
    ? { index, id, machineId, status: 'accepted' }
    : { index, id, machineId, status: 'coalesced', coalescedWith };
}

function countOutcomes(items: readonly ItemAnswer[]): DoorOutcomes {
  const counts: DoorOutcomes = { accepted: 0, coalesced: 0, rejected: 0 };
  for (const { status } of items) counts[status] += 1;
  return counts;
}

function logAccepted(
  request: Request,
  batchId: string,
  counts: DoorOutcomes,
  items: readonly ItemAnswer[],
): void {
  request.log.info({ batchId, counts }, 'batch accepted');
  if (!request.log.isLevelEnabled('debug')) return;
  for (const { index, ...item } of items) {
    const error = item.status === 'rejected' ? { error: item.error.message } : {};
    request.log.debug({ batchId, index, ...item, ...error }, 'batch item');
  }
}

/** The batch is safe by now: that the time cannot be told does not make it fail. */
async function drainsInMs({ readState }: Pick<AppParts, 'readState'>): Promise<number | undefined> {
  try {
    const state = await readState();
    const atMs = drainedAtMs(state);
    return atMs === undefined ? undefined : atMs - state.view.nowMs;
  } catch {
    return undefined;
  }
}
