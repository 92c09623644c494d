import { z } from 'zod';
import { batchEntry } from '@diq/contracts/batch-document.ts';
import { namingOf } from '@diq/contracts/machine-name.ts';
import type { BatchItem } from '@diq/queue/requests/request-reader.ts';
import type { Dependencies } from '../dependencies.ts';
import { batchPosition, pageOf, positionCursor, writePosition } from '../http/cursor.ts';
import { defineRoute } from '../http/define-route.ts';
import { findBatchOrRefuse } from '../http/find-or-404.ts';
import { inTurn } from '../http/caller-turns.ts';
import { pageLimit } from '../http/parse-or-400.ts';
import { withMessage } from '../submission/item-refusal.ts';

export const listBatchItems = defineRoute({
  method: 'get',
  path: '/v1/batches/:id/items',
  id: 'listBatchItems',
  tag: 'Batches',
  summary: 'Read the items of a batch, in input order',
  scope: 'read',
  queue: 'id',
  query: z.strictObject({
    limit: pageLimit(1_000),
    cursor: positionCursor(batchPosition).optional(),
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(batchEntry) } },
  problems: ['batch_not_found'],
  async handle({ id, query: { limit, cursor = '-1' }, context, response }, { reader }: Dependencies) {
    const batch = await findBatchOrRefuse(reader, id);
    await inTurn(context.caller.name, response, async () => {
      const items = await reader.batchItems(batch.id, Number(cursor) + 1, limit);
      const last = Number(cursor) + limit;
      const hasMore = items.length > 0 && last + 1 < batch.counts.total;
      response.json({
        value: items.map(describeItem),
        ...(hasMore
          ? { nextLink: `/v1/batches/${batch.id}/items?limit=${limit}&cursor=${writePosition(String(last))}` }
          : {}),
      });
    });
  },
});

function describeItem(item: BatchItem): Record<string, unknown> {
  const { index } = item;
  if ('rejected' in item) {
    return { ...item.rejected, error: withMessage(item.rejected.error), index, status: 'rejected' };
  }
  // Settled and past its retention, while others of the batch still wait.
  if ('gone' in item) return { index, id: item.gone, status: 'gone' };
  const { id, status, coalescedWith, investigationId, endedAt, error } = item.request.document;
  return {
    index,
    id,
    ...namingOf(item.request.document),
    status,
    coalescedWith,
    investigationId,
    endedAt,
    error,
  };
}
