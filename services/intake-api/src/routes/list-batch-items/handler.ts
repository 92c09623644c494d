import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { BatchItem } from '@diq/queue/requests/request-reader.ts';
import type { AppParts } from '../../dependencies.ts';
import { findBatchOrRefuse } from '../../http/find-or-404.ts';
import { withMessage } from '../../submission/item-refusal.ts';
import { pageLimit, parseOrRefuse } from '../../http/parse-or-400.ts';
import { readCursor, writeCursor } from './cursor.ts';

export const query = z.strictObject({
  limit: pageLimit(1_000),
  cursor: z
    .string({ error: 'must be given once' })
    .transform((text, context) => {
      const offset = readCursor(text);
      if (offset !== undefined) return offset;
      context.addIssue({ code: 'custom', message: 'must be taken from a nextLink' });
      return z.NEVER;
    })
    .optional(),
});

/** `GET /v1/batches/{id}/items`: the items of a batch in input order, in pages. */
export function listBatchItems({ reader }: Pick<AppParts, 'reader'>): RequestHandler {
  return async (request, response) => {
    const { limit, cursor: offset = 0 } = parseOrRefuse(query, request.query, 'the query');
    const batch = await findBatchOrRefuse(reader, request.params['id']);
    const items = await reader.batchItems(batch.id, offset, limit);
    const next = offset + limit;
    const hasMore = items.length > 0 && next < batch.counts.total;
    response.json({
      value: items.map(describeItem),
      ...(hasMore
        ? { nextLink: `/v1/batches/${batch.id}/items?limit=${limit}&cursor=${writeCursor(next)}` }
        : {}),
    });
  };
}

function describeItem(item: BatchItem): Record<string, unknown> {
  const { index } = item;
  if ('rejected' in item) {
    return { ...item.rejected, error: withMessage(item.rejected.error), index, status: 'rejected' };
  }
  // Settled and past its retention, while others of the batch still wait.
  if ('gone' in item) return { index, id: item.gone, status: 'gone' };
  const { id, machineId, status, coalescedWith, investigationId, error } = item.request.document;
  return { index, id, machineId, status, coalescedWith, investigationId, error };
}
