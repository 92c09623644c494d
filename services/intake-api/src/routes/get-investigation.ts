import { requestDocument } from '@diq/contracts/request-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { findRequestOrRefuse } from '../http/find-or-404.ts';
import { pollAfterSeconds } from '../http/retry-after.ts';

export const getInvestigation = defineRoute({
  method: 'get',
  path: '/v1/investigations/:id',
  id: 'getInvestigation',
  tag: 'Requests',
  summary: 'Ask where a request stands',
  scope: 'read',
  queue: 'id',
  answers: {
    200: {
      description: 'The request, whatever its status; with `Retry-After` until it has ended.',
      schema: requestDocument,
      headers: ['Retry-After?'],
    },
  },
  problems: ['request_not_found'],
  async handle({ id, response }, { reader, describeRequest, explainPlace }: Dependencies) {
    const found = await findRequestOrRefuse(reader, id);
    const { document, startsInMs } = await describeRequest(found);
    const pollAfter = pollAfterSeconds(document.status, startsInMs);
    if (pollAfter !== undefined) response.set('Retry-After', pollAfter);
    response.json(await explainPlace(document, found));
  },
});
