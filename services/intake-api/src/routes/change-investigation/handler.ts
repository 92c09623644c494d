import type { RequestHandler } from 'express';
import { z } from 'zod';
import { itemDefaults } from '@diq/contracts/investigation-item.ts';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { findRequestOrRefuse } from '../../http/find-or-404.ts';
import { logOf } from '../../http/http-request-log.ts';
import { refuseUnlessOwn } from '../../auth/ownership.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';
import { forCaller } from '../../submission/receipt.ts';
import { refuseUnlessDone } from '../../http/action-conflict.ts';

const { priority, notAfter } = itemDefaults.shape;

export const change = z
  .strictObject({
    priority,
    notAfter: z
      .union([z.null(), notAfter.unwrap()], {
        error: 'must be an ISO 8601 time with a zone, or null for none',
      })
      .refine((time) => time === null || Date.parse(time) > Date.now(), 'must lie in the future')
      .optional(),
    reason: reason.optional(),
  })
  .refine(
    (body) => body.priority !== undefined || body.notAfter !== undefined,
    'must change priority or notAfter',
  );

/** `PATCH /v1/investigations/{id}`: other priority or deadline while queued; `null` takes the deadline away. */
export function changeInvestigation({
  reader,
  actions,
  describeRequest,
}: Pick<AppParts, 'reader' | 'actions' | 'describeRequest'>): RequestHandler {
  return async (request, response) => {
    const { reason: why, ...wanted } = parseOrRefuse(change, request.body, 'the body');
    const { document, caller } = await findRequestOrRefuse(reader, request.params['id']);
    refuseUnlessOwn(response, caller, 'request_not_found');
    const { id } = document;
    refuseUnlessDone(await actions.requests.change(id, wanted, actingCaller(response, why)));
    logOf(response).info({ requestId: id, change: wanted }, 'request changed');
    const changed = await describeRequest(await findRequestOrRefuse(reader, id));
    response.json(forCaller(response, changed.document));
  };
}
