import type { RequestReader, StoredBatch } from '@diq/queue/requests/request-reader.ts';
import type { PlacedRequest } from '@diq/queue/requests/stored-request.ts';
import { ProblemError } from './problem-error.ts';
import { readPublicId } from './public-id.ts';

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
