import type { RequestReader, StoredBatch } from '@diq/queue/requests/request-reader.ts';
import type { PlacedRequest } from '@diq/queue/requests/stored-request.ts';
import { maxChanges, type ActionAnswer } from '@diq/queue/requests/request-actions.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { ProblemError } from './problem-error.ts';
import { readPublicId } from './cursor.ts';

/** @throws ProblemError 404 for an id that names no request, or one whose retention is over. */
export async function findRequestOrRefuse(
  reader: Pick<RequestReader, 'findPlaced'>,
  id: unknown,
): Promise<PlacedRequest> {
  const publicId = readPublicId(id);
  const found = publicId === undefined ? undefined : await reader.findPlaced(publicId);
  if (!found) throw new ProblemError('request_not_found', { detail: goneOrUnknown });
  return found;
}

/** @throws ProblemError 404 for an id that names no batch, or one whose retention is over. */
export async function findBatchOrRefuse(
  reader: Pick<RequestReader, 'findBatch'>,
  id: unknown,
): Promise<StoredBatch> {
  const publicId = readPublicId(id);
  const found = publicId === undefined ? undefined : await reader.findBatch(publicId);
  if (!found) throw new ProblemError('batch_not_found', { detail: goneOrUnknown });
  return found;
}

export const goneOrUnknown =
  'The id is not known here, or what it named was completed longer ago than is kept.';

const calledStatuses: ReadonlySet<RequestStatus> = new Set(['dispatching', 'started', 'failed', 'unknown']);

/** @throws ProblemError unless it was done: 404 for an unknown request, 409 for one that is past being queued or was changed too often. */
export function refuseUnlessDone(answer: ActionAnswer): asserts answer is { kind: 'done' } {
  if (answer.kind === 'done') return;
  if (answer.kind === 'missing') throw new ProblemError('request_not_found', { detail: goneOrUnknown });
  if (answer.kind === 'changed-too-often') {
    throw new ProblemError('changed_too_often', {
      detail: `A request can be changed ${maxChanges} times. Cancel it, and ask anew.`,
    });
  }
  const { status } = answer;
  throw new ProblemError(calledStatuses.has(status) ? 'already_dispatched' : 'already_ended', {
    detail: `The request is '${status}'; only one that is 'queued' can be cancelled, changed or moved.`,
  });
}
