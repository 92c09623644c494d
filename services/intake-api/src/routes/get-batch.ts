import { batchDocument } from '@diq/contracts/batch-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { findBatchOrRefuse } from '../http/find-or-404.ts';
import { retryAfterSeconds } from '../http/retry-after.ts';
import { describeBatch } from '../views/batch-view.ts';

/**
 * `expectedCompletionAt` is when the last of its calls is expected to start by the present state; `null` when completed,
 * or while that is unknown.
 */
export const getBatch = defineRoute({
  method: 'get',
  path: '/v1/batches/:id',
  id: 'getBatch',
  tag: 'Batches',
  summary: 'Ask how far a batch is',
  scope: 'read',
  queue: 'id',
  answers: {
    200: {
      description: 'The batch; with `Retry-After` until it is completed.',
      schema: batchDocument,
      headers: ['Retry-After?'],
    },
  },
  problems: ['batch_not_found'],
  async handle({ id, response }, { reader, forecastCompletion }: Dependencies) {
    const batch = await findBatchOrRefuse(reader, id);
    const expected = await forecastCompletion(batch);
    if (!batch.isComplete) response.set('Retry-After', retryAfterSeconds(expected?.inMs));
    response.json(describeBatch(batch, expected));
  },
});
