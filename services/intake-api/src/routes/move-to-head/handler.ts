import type { RequestHandler } from 'express';
import { z } from 'zod';
import { actingCaller } from '../../acting-caller.ts';
import type { AppParts } from '../../app-parts.ts';
import { findRequestOrRefuse } from '../../find-or-refuse.ts';
import { logOf } from '../../middleware/request-log.ts';
import { parseOrRefuse, reason } from '../../parse-or-refuse.ts';
import { refuseUnlessDone } from '../../action-conflict.ts';

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
    logOf(response).info({ id }, 'request moved to the head');
    response.json((await describeRequest(await findRequestOrRefuse(reader, id))).document);
  };
}
