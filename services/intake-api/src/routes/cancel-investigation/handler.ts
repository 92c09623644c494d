import type { RequestHandler } from 'express';
import { z } from 'zod';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { findRequestOrRefuse } from '../../http/find-or-404.ts';
import { logOf } from '../../http/http-request-log.ts';
import { refuseUnlessOwn } from '../../auth/ownership.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';
import { forCaller } from '../../submission/receipt.ts';
import { refuseUnlessDone } from '../../http/action-conflict.ts';

export const query = z.strictObject({ reason: reason.optional() });

/**
 * `DELETE /v1/investigations/{id}`: the cancelled document, also when it was cancelled before. Against the beginning of
 * its call exactly one wins, and the answer says which: 409 when that was the call.
 */
export function cancelInvestigation({
  reader,
  actions,
}: Pick<AppParts, 'reader' | 'actions'>): RequestHandler {
  return async (request, response) => {
    const why = parseOrRefuse(query, request.query, 'the query').reason;
    const { document, caller } = await findRequestOrRefuse(reader, request.params['id']);
    refuseUnlessOwn(response, caller, 'request_not_found');
    const answer = await actions.requests.cancel(document.id, actingCaller(response, why));
    if (answer.kind !== 'not-queued' || answer.status !== 'cancelled') {
      refuseUnlessDone(answer);
      logOf(response).info({ requestId: document.id }, 'request cancelled');
    }
    response.json(forCaller(response, (await findRequestOrRefuse(reader, document.id)).document));
  };
}
