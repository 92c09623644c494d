import { z } from 'zod';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { resultOutcomes } from '@diq/contracts/result-outcome.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { Dependencies } from '../dependencies.ts';
import {
  batchPosition,
  linkBehind,
  notFromLink,
  pageOf,
  positionCursor,
  requestPosition,
} from '../http/cursor.ts';
import { defineRoute } from '../http/define-route.ts';
import { inTurn } from '../http/caller-turns.ts';
import { pageLimit } from '../http/parse-or-400.ts';
import {
  correlationParameters,
  emptySpan,
  fitsCursor,
  isSpan,
  oneOrMore,
  requestFilters,
  timeFilters,
} from '../http/request-filters.ts';

const query = z
  .strictObject({
    status: oneOrMore(requestStatuses).optional(),
    ...requestFilters,
    outcome: z
      .enum(resultOutcomes, { error: `must be one of ${resultOutcomes.join(', ')}` })
      .describe('Of the result.')
      .optional(),
    ...timeFilters,
    limit: pageLimit(500),
    cursor: positionCursor((text) => requestPosition(text) ?? batchPosition(text)).optional(),
  })
  .refine(fitsCursor, { path: ['cursor'], message: notFromLink })
  .refine(isSpan, emptySpan);

/**
 * Pages do not shift with new arrivals. A page looks at a bounded number of requests and has a bounded size, so with several
 * filters, or large requests, it may be short, or empty, and still lead on.
 */
export const listInvestigations = defineRoute({
  method: 'get',
  path: '/v1/investigations',
  id: 'listInvestigations',
  tag: 'Requests',
  summary: 'List requests, newest first',
  description:
    'New arrivals do not shift pages. A page looks at a bounded number of requests, so it may be short, or empty, and still have a `nextLink`: follow it until there is none.',
  scope: 'read',
  queue: 'query',
  query,
  answers: { 200: { description: 'A page.', schema: pageOf(requestDocument) } },
  async handle({ query, context, response }, { actions }: Dependencies) {
    const { limit, cursor, from: fromMs, to: toMs, ...filter } = query;
    await inTurn(context.caller.name, response, async () => {
      const { requests, next } = await actions.list.page({ ...filter, fromMs, toMs }, limit, cursor);
      const { prefix, operation } = context.chosen;
      const asked = {
        operation,
        ...filter,
        correlation: undefined,
        from: fromMs,
        to: toMs,
        limit,
      };
      response.json({
        value: requests.map(({ document }) => document),
        ...(next === undefined
          ? {}
          : {
              nextLink: linkBehind(
                next,
                `${prefix}/investigations`,
                asked,
                correlationParameters(filter.correlation),
              ),
            }),
      });
    });
  },
});
