import { z } from 'zod';
import { sourceText, machineId } from '@diq/contracts/investigation-item.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { Dependencies } from '../dependencies.ts';
import {
  batchId,
  batchPosition,
  notFromLink,
  pageOf,
  positionCursor,
  requestPosition,
  writePosition,
} from '../http/cursor.ts';
import { defineRoute } from '../http/define-route.ts';
import { inTurn } from '../http/caller-turns.ts';
import type { ChosenQueue } from '../http/request-context.ts';
import { pageLimit } from '../http/parse-or-400.ts';

const query = z
  .strictObject({
    status: z.enum(requestStatuses, { error: `must be one of ${requestStatuses.join(', ')}` }).optional(),
    machineId: machineId.optional(),
    batchId: batchId.optional(),
    source: z.string({ error: 'must be given once' }).pipe(sourceText).optional(),
    limit: pageLimit(500),
    cursor: positionCursor((text) => requestPosition(text) ?? batchPosition(text)).optional(),
  })
  // Within a batch requests are found by their place, everywhere else by their id.
  .refine(
    ({ batchId: batch, machineId: machine, cursor }) => {
      const read = batch !== undefined && machine === undefined ? batchPosition : requestPosition;
      return cursor === undefined || read(cursor) !== undefined;
    },
    { path: ['cursor'], message: notFromLink },
  );

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
    'New arrivals do not shift pages. With several filters, or large requests, a page may be short, or empty, and still have a `nextLink`: follow it until there is none.',
  scope: 'read',
  queue: 'query',
  query,
  answers: { 200: { description: 'A page.', schema: pageOf(requestDocument) } },
  async handle({ query, context, response }, { actions }: Dependencies) {
    const { limit, cursor, status, ...filter } = query;
    const wanted = { ...filter, ...(status === undefined ? {} : { status: [status] }) };
    await inTurn(context.caller.name, response, async () => {
      const { requests, next } = await actions.list.page(wanted, limit, cursor);
      response.json({
        value: requests.map(({ document }) => document),
        ...(next === undefined
          ? {}
          : { nextLink: linkBehind(next, context.chosen, { ...filter, status, limit: String(limit) }) }),
      });
    });
  },
});

function linkBehind(
  position: string,
  { prefix, operation }: ChosenQueue,
  asked: Record<string, string | undefined>,
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries({ operation, ...asked })) {
    if (value !== undefined) parameters.set(name, value);
  }
  parameters.set('cursor', writePosition(position));
  return `${prefix}/investigations?${parameters.toString()}`;
}
