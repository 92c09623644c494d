import type { RequestReader, StoredBatch } from '@diq/queue/read-requests.ts';
import type { PlacedRequest } from '@diq/queue/stored-request.ts';
import { ProblemError } from './problem-error.ts';

/** @throws ProblemError 404 for an id that names no request, or one whose retention is over. */
export async function findRequestOrRefuse(
  reader: Pick<RequestReader, 'findPlaced'>,
  id: unknown,
): Promise<PlacedRequest> {
  const found = isPublicId(id) ? await reader.findPlaced(id) : undefined;
  if (!found) throw new ProblemError('request_not_found', { detail: goneOrUnknown });
  return found;
}

/** @throws ProblemError 404 for an id that names no batch, or one whose retention is over. */
export async function findBatchOrRefuse(
  reader: Pick<RequestReader, 'findBatch'>,
  id: unknown,
): Promise<StoredBatch> {
  const found = isPublicId(id) ? await reader.findBatch(id) : undefined;
  if (!found) throw new ProblemError('batch_not_found', { detail: goneOrUnknown });
  return found;
}

export const goneOrUnknown =
  'The id is not known here, or what it named was completed longer ago than is kept.';

/** Ids as they are given out. */
export const publicIdPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whatever looks otherwise names nothing, and Redis need not be asked. */
function isPublicId(text: unknown): text is string {
  return typeof text === 'string' && publicIdPattern.test(text);
}
