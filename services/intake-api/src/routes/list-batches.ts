import { z } from 'zod';
import { batchListed, batchStatuses } from '@diq/contracts/batch-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { linkBehind, pageOf, positionCursor, requestPosition } from '../http/cursor.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { pageLimit } from '../http/parse-or-400.ts';
import {
  correlationParameters,
  emptySpan,
  isSpan,
  requestFilters,
  timeFilters,
} from '../http/request-filters.ts';
import { describeListedBatch } from '../views/batch-view.ts';

const { source, correlation } = requestFilters;

const query = z
  .strictObject({
    status: z.enum(batchStatuses, { error: `must be one of ${batchStatuses.join(', ')}` }).optional(),
    source: source.describe('Some of its items have this source.'),
    correlation,
    ...timeFilters,
    limit: pageLimit(500),
    cursor: positionCursor(requestPosition).optional(),
  })
  .refine(isSpan, emptySpan);

export const listBatches = defineRoute({
  method: 'get',
  path: '/v1/batches',
  id: 'listBatches',
  tag: 'Batches',
  summary: 'List batches, newest first',
  description:
    'A batch is found by the first 1,000 sources and the first 1,000 correlation pairs of its items. A page looks at a bounded number of batches, so it may be short, or empty, and still have a `nextLink`: follow it until there is none.',
  scope: 'read',
  queue: 'query',
  query,
  answers: { 200: { description: 'A page.', schema: pageOf(batchListed) } },
  async handle({ query, context, response }, { actions }: Dependencies) {
    const { limit, cursor, status, from: fromMs, to: toMs, ...filter } = query;
    const isComplete = status === undefined ? undefined : status === 'completed';
    await inTurn(context.caller.name, response, async () => {
      const { batches, next } = await actions.batches.page(
        { ...filter, fromMs, toMs, isComplete },
        limit,
        cursor,
      );
      const { prefix, operation } = context.chosen;
      const asked = { operation, status, source: filter.source, from: fromMs, to: toMs, limit };
      const pairs = correlationParameters(filter.correlation);
      response.json({
        value: batches.map(describeListedBatch),
        ...(next === undefined ? {} : { nextLink: linkBehind(next, `${prefix}/batches`, asked, pairs) }),
      });
    });
  },
});
