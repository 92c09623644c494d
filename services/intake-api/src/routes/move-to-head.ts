import { requestDocument } from '@diq/contracts/request-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { findRequestOrRefuse, refuseUnlessDone } from '../http/find-or-404.ts';
import { defineRoute } from '../http/define-route.ts';
import { onlyReason } from '../http/parse-or-400.ts';

/** Its machine goes next, whatever else waits. */
export const moveToHead = defineRoute({
  method: 'post',
  path: '/v1/investigations/:id/move-to-head',
  id: 'moveToHead',
  tag: 'Requests',
  summary: 'Have a queued request go next',
  scope: 'admin',
  queue: 'id',
  body: { schema: onlyReason, isOptional: true, example: { reason: 'The CISO waits for it' } },
  answers: { 200: { description: 'The request, at its new place.', schema: requestDocument } },
  problems: ['request_not_found', 'already_dispatched', 'already_ended'],
  async handle({ id: given, body, context, response }, { reader, actions, describeRequest }: Dependencies) {
    const { id } = (await findRequestOrRefuse(reader, given)).document;
    refuseUnlessDone(await actions.requests.moveToHead(id, context.actor(body.reason)));
    context.log.info({ requestId: id }, 'request moved to the head');
    response.json((await describeRequest(await findRequestOrRefuse(reader, id))).document);
  },
});
