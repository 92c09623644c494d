import type { RequestHandler } from 'express';
import { z } from 'zod';
import { sourceText } from '@diq/contracts/investigation-item.ts';
import { machineId } from '@diq/contracts/machine-id.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { AppParts } from '../../dependencies.ts';
import { pageLimit, parseOrRefuse } from '../../http/parse-or-400.ts';
import { batchPosition, positionCursor, requestPosition, writePosition } from '../../http/cursor.ts';
import { batchId } from '../../http/public-id.ts';

const shape = {
  status: z.enum(requestStatuses, { error: `must be one of ${requestStatuses.join(', ')}` }).optional(),
  machineId: machineId.optional(),
  batchId: batchId.optional(),
  source: z.string({ error: 'must be given once' }).pipe(sourceText).optional(),
  limit: pageLimit(500),
};
/** Within a batch requests are found by their place, everywhere else by their id. */
export const query = z.strictObject({ ...shape, cursor: positionCursor(requestPosition).optional() });
const queryInBatch = z.strictObject({ ...shape, cursor: positionCursor(batchPosition).optional() });

/**
 * `GET /v1/investigations`: requests that fit, newest first, in pages that new arrivals do not shift. A page looks at a
 * bounded number of requests, so with several filters it may be short, or empty, and still lead on.
 */
export function listInvestigations({ actions }: Pick<AppParts, 'actions'>): RequestHandler {
  return async (request, response) => {
    const isInBatch = request.query['batchId'] !== undefined && request.query['machineId'] === undefined;
    const asked = parseOrRefuse(isInBatch ? queryInBatch : query, request.query, 'the query');
    const { limit, cursor, status, ...filter } = asked;
    const wanted = { ...filter, ...(status === undefined ? {} : { status: [status] }) };
    const { requests, next } = await actions.list.page(wanted, limit, cursor);
    response.json({
      value: requests.map(({ document }) => document),
      ...(next === undefined ? {} : { nextLink: linkBehind(next, { ...filter, status, limit }) }),
    });
  };
}

function linkBehind(position: string, asked: Record<string, string | number | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  parameters.set('cursor', writePosition(position));
  return `/v1/investigations?${parameters.toString()}`;
}
