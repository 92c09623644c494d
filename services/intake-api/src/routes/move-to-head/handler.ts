import type { RequestHandler } from 'express';
import { z } from 'zod';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { findRequestOrRefuse } from '../../http/find-or-404.ts';
import { logOf } from '../../http/http-request-log.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';
import { refuseUnlessDone } from '../../http/action-conflict.ts';

export const body = z.strictObject({ reason: reason.optional() });

/** `POST /v1/investigations/{id}/move-to-head`: its machine goes next, whatever else waits. */
export function moveToHead({
  reader,
  actions,
  describeRequest,
}: Pick<AppParts, 'reader' | 'actions' | 'describeRequest'>): RequestHandler {
  return async (request, response) => {
    const { reason: why } = parseOrRefuse(body, request.body, 'the body');
    const { id } = (await findRequestOrRefuse(reader, request.params['id'])).document;
    refuseUnlessDone(await actions.requests.moveToHead(id, actingCaller(response, why)));
    logOf(response).info({ requestId: id }, 'request moved to the head');
    response.json((await describeRequest(await findRequestOrRefuse(reader, id))).document);
  };
}
