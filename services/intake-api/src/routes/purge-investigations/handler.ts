import type { RequestHandler } from 'express';
import { z } from 'zod';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { logOf } from '../../http/http-request-log.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';
import { body as cancelBody, bulkCancelBudgetMs as budgetMs } from '../cancel-investigations/handler.ts';

/** Names of callers are no longer than that of any application or key. */
const maxCallerLength = 256;

export const body = z
  .strictObject({
    batchId: cancelBody.shape.batchId,
    caller: z
      .string({ error: 'must be a string' })
      .min(1, 'must not be empty')
      .max(maxCallerLength, `must have at most ${maxCallerLength} characters`)
      .optional(),
    endedBefore: z.iso
      .datetime({ offset: true, error: 'must be an ISO 8601 time with a zone, such as 2026-11-30T08:00:00Z' })
      .optional(),
    reason: reason.optional(),
  })
  .refine(
    ({ batchId, caller, endedBefore }) => (batchId ?? caller ?? endedBefore) !== undefined,
    'must name at least one of batchId, caller and endedBefore',
  )
  .refine(
    ({ batchId, caller, endedBefore }) => batchId === undefined || (caller ?? endedBefore) === undefined,
    'must name batchId alone, without caller and endedBefore',
  );

/**
 * `POST /v1/investigations/purge`: deletes what has ended before its retention is over, and makes room in Redis also when
 * that is full. What is open stays. With `remaining: true` the time was up first: the same request again goes on.
 */
export function purgeInvestigations({
  actions,
  closing,
}: Pick<AppParts, 'actions' | 'closing'>): RequestHandler {
  return async (request, response) => {
    const { reason: why, batchId, ...filter } = parseOrRefuse(body, request.body, 'the body');
    const what = batchId === undefined ? filter : { batchId };
    const done = await actions.purge.purge(what, actingCaller(response, why), { budgetMs, closing });
    logOf(response).info({ filter: what, ...done }, 'requests purged');
    response.json(done);
  };
}
