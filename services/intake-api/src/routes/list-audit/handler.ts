import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { RecordedEntry } from '@diq/queue/operations/audit-log.ts';
import type { AppParts } from '../../dependencies.ts';
import { pageLimit, parseOrRefuse } from '../../http/parse-or-400.ts';
import { positionCursor, streamPosition, writePosition } from '../../http/cursor.ts';

export const query = z.strictObject({
  limit: pageLimit(500),
  cursor: positionCursor(streamPosition).optional(),
});

/** `GET /v1/audit`: who cancelled, changed, moved, retried, paused and resumed what, when and why; newest first. */
export function listAudit({ actions }: Pick<AppParts, 'actions'>): RequestHandler {
  return async (request, response) => {
    const { limit, cursor } = parseOrRefuse(query, request.query, 'the query');
    const { entries, hasMore } = await actions.audit.page(limit, cursor);
    const last = entries.at(-1);
    response.json({
      value: entries.map(describeEntry),
      ...(hasMore && last ? { nextLink: `/v1/audit?limit=${limit}&cursor=${writePosition(last.id)}` } : {}),
    });
  };
}

function describeEntry({ id, atMs, entry }: RecordedEntry) {
  return { id, at: new Date(atMs).toISOString(), ...entry };
}
