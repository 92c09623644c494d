import { z } from 'zod';
import { recordedEntry } from '@diq/contracts/audit-entry.ts';
import type { Dependencies } from '../dependencies.ts';
import { pageOf, positionCursor, streamPosition, writePosition } from '../http/cursor.ts';
import { defineRoute } from '../http/define-route.ts';
import { pageLimit } from '../http/parse-or-400.ts';

export const listAudit = defineRoute({
  method: 'get',
  path: '/v1/audit',
  id: 'listAudit',
  tag: 'Quota and queue',
  summary: 'Read who cancelled, changed, moved, retried, paused and resumed what',
  scope: 'admin',
  queue: 'query',
  query: z.strictObject({
    limit: pageLimit(500),
    cursor: positionCursor(streamPosition).optional(),
  }),
  answers: { 200: { description: 'A page, newest first.', schema: pageOf(recordedEntry) } },
  async handle({ query: { limit, cursor }, context, response }, { actions }: Dependencies) {
    const { prefix, operation } = context.chosen;
    const named = operation === undefined ? '' : `operation=${operation}&`;
    const { entries, hasMore } = await actions.audit.page(limit, cursor);
    const last = entries.at(-1);
    response.json({
      value: entries.map(({ id, atMs, entry }) => ({ id, at: new Date(atMs).toISOString(), ...entry })),
      ...(hasMore && last
        ? { nextLink: `${prefix}/audit?${named}limit=${limit}&cursor=${writePosition(last.id)}` }
        : {}),
    });
  },
});
