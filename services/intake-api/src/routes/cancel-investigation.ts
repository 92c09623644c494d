import { z } from 'zod';
import { requestReceipt } from '@diq/contracts/receipts.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { refuseUnlessOwn } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { findRequestOrRefuse, refuseUnlessDone } from '../http/find-or-404.ts';
import { defineRoute } from '../http/define-route.ts';
import { onlyReason } from '../http/parse-or-400.ts';
import { forCaller } from '../submission/receipt.ts';

export const cancelInvestigation = defineRoute({
  method: 'delete',
  path: '/v1/investigations/:id',
  id: 'cancelInvestigation',
  tag: 'Requests',
  summary: 'Cancel a request',
  description:
    'Others that share its call keep it. Against the beginning of its call exactly one wins: 409 when that was the call.',
  scope: 'submit',
  queue: 'id',
  isOwnOnly: true,
  query: onlyReason,
  answers: {
    200: {
      description: 'The cancelled request, also when it was cancelled before.',
      schema: z.union([requestDocument, requestReceipt]),
    },
  },
  problems: ['request_not_found', 'already_dispatched', 'already_ended'],
  async handle({ id, query, context, response }, { reader, actions }: Dependencies) {
    const { document, caller } = await findRequestOrRefuse(reader, id);
    refuseUnlessOwn(context, caller, 'request_not_found');
    const answer = await actions.requests.cancel(document.id, context.actor(query.reason));
    if (answer.kind !== 'not-queued' || answer.status !== 'cancelled') {
      refuseUnlessDone(answer);
      context.log.info({ requestId: document.id }, 'request cancelled');
    }
    response.json(forCaller(context, (await findRequestOrRefuse(reader, document.id)).document));
  },
});
