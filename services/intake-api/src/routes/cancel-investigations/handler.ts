import type { RequestHandler } from 'express';
import { z } from 'zod';
import { sourceText } from '@diq/contracts/investigation-item.ts';
import { machineId } from '@diq/contracts/machine-id.ts';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { logOf } from '../../http/http-request-log.ts';
import { ownerActedFor } from '../../auth/ownership.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';
import { batchId } from '../../http/public-id.ts';

/** Below the usual time-outs of clients and proxies; who has more to cancel asks again. */
export const bulkCancelBudgetMs = 10_000;

export const body = z
  .strictObject({
    batchId: batchId.optional(),
    source: sourceText.optional(),
    machineId: machineId.optional(),
    reason: reason.optional(),
  })
  .refine(
    ({ batchId, source, machineId: machine }) => (batchId ?? source ?? machine) !== undefined,
    'must name at least one of batchId, source and machineId',
  );

/**
 * `POST /v1/investigations/cancel`: cancels what is queued, fits all filters given and is the caller's own; `admin` also
 * what is others'. With `remaining: true` the time was up first: the same request again goes on where this one ended.
 */
export function cancelInvestigations({
  actions,
  closing,
}: Pick<AppParts, 'actions' | 'closing'>): RequestHandler {
  return async (request, response) => {
    const { reason: why, ...filter } = parseOrRefuse(body, request.body, 'the body');
    const caller = ownerActedFor(response);
    const own = caller === undefined ? filter : { ...filter, caller };
    const done = await actions.bulkCancel.cancel(own, actingCaller(response, why), {
      budgetMs: bulkCancelBudgetMs,
      closing,
    });
    logOf(response).info({ filter, ...done }, 'requests cancelled');
    response.json(done);
  };
}
