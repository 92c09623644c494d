import type { RequestHandler } from 'express';
import { z } from 'zod';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { bulkCancelBudgetMs as budgetMs } from '../cancel-investigations/handler.ts';
import { findBatchOrRefuse } from '../../http/find-or-404.ts';
import { logOf } from '../../http/http-request-log.ts';
import { refuseUnlessOwn } from '../../auth/ownership.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';

export const query = z.strictObject({ reason: reason.optional() });

/** `DELETE /v1/batches/{id}`: cancels what is queued of a batch; the batch and its items can be read as before. */
export function cancelBatch({
  reader,
  actions,
  closing,
}: Pick<AppParts, 'reader' | 'actions' | 'closing'>): RequestHandler {
  return async (request, response) => {
    const why = parseOrRefuse(query, request.query, 'the query').reason;
    const { id, caller } = await findBatchOrRefuse(reader, request.params['id']);
    refuseUnlessOwn(response, caller, 'batch_not_found');
    const actor = actingCaller(response, why);
    const done = await actions.bulkCancel.cancel({ batchId: id }, actor, { budgetMs, closing });
    logOf(response).info({ batchId: id, ...done }, 'batch cancelled');
    response.json({ id, ...done });
  };
}
