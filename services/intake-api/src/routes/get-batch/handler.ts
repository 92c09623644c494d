import type { RequestHandler } from 'express';
import type { AppParts } from '../../dependencies.ts';
import { batchDocument } from '../../views/batch-view.ts';
import { findBatchOrRefuse } from '../../http/find-or-404.ts';
import { retryAfterSeconds } from '../../http/retry-after.ts';

/**
 * `GET /v1/batches/{id}`. `expectedCompletionAt` is when the last of its calls is expected to start by the present state;
 * `null` when completed, or while nobody can say.
 */
export function getBatch({
  reader,
  forecastCompletion,
}: Pick<AppParts, 'reader' | 'forecastCompletion'>): RequestHandler {
  return async (request, response) => {
    const batch = await findBatchOrRefuse(reader, request.params['id']);
    const expected = await forecastCompletion(batch);
    if (!batch.isComplete) response.set('Retry-After', retryAfterSeconds(expected?.inMs));
    response.json(batchDocument(batch, expected));
  };
}
