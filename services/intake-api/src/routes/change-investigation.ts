import { z } from 'zod';
import { itemDefaults } from '@diq/contracts/investigation-item.ts';
import { requestReceipt } from '@diq/contracts/receipts.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { refuseUnlessOwn } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { findRequestOrRefuse, refuseUnlessDone } from '../http/find-or-404.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { reason } from '../http/parse-or-400.ts';
import { forCaller } from '../submission/receipt.ts';

const { priority, notAfter } = itemDefaults.shape;

const change = z
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

/** `null` takes the deadline away. */
export const changeInvestigation = defineRoute({
  method: 'patch',
  path: '/v1/investigations/:id',
  id: 'changeInvestigation',
  tag: 'Requests',
  summary: 'Change priority or deadline of a queued request',
  scope: 'submit',
  queue: 'id',
  isOwnOnly: true,
  body: { schema: change, example: { priority: 'critical', notAfter: null } },
  answers: {
    200: { description: 'The changed request.', schema: z.union([requestDocument, requestReceipt]) },
  },
  problems: ['request_not_found', 'already_dispatched', 'already_ended', 'changed_too_often'],
  async handle({ id: given, body, context, response }, { reader, actions, describeRequest }: Dependencies) {
    const { reason: why, ...wanted } = body;
    const { document, caller } = await findRequestOrRefuse(reader, given);
    refuseUnlessOwn(context, caller, 'request_not_found');
    const { id } = document;
    // All requests that share its call are looked at, which may be thousands.
    await inTurn(`${context.caller.name} change`, response, async () => {
      refuseUnlessDone(await actions.requests.change(id, wanted, context.actor(why)));
      context.log.info({ requestId: id, change: wanted }, 'request changed');
      const changed = await describeRequest(await findRequestOrRefuse(reader, id));
      response.json(forCaller(context, changed.document));
    });
  },
});
