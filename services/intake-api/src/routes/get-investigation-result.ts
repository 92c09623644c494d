import { requestDocument } from '@diq/contracts/request-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { findRequestOrRefuse } from '../http/find-or-404.ts';
import { pollAfterSeconds } from '../http/retry-after.ts';

/** Clients that follow 202 and `Location` by themselves wait for the outcome this way. */
export const getInvestigationResult = defineRoute({
  method: 'get',
  path: '/v1/investigations/:id/result',
  id: 'getInvestigationResult',
  tag: 'Requests',
  summary: 'Wait for the end of a request',
  description: 'For clients that follow 202 and `Location` by themselves, such as Logic Apps.',
  scope: 'read',
  queue: 'id',
  answers: {
    200: { description: 'The request has ended.', schema: requestDocument },
    202: {
      description: 'The request has not ended yet: ask again after `Retry-After`.',
      schema: requestDocument,
      headers: ['Location', 'Retry-After'],
    },
  },
  problems: ['request_not_found'],
  async handle({ id, response }, { reader, describeRequest }: Dependencies) {
    const { document, startsInMs } = await describeRequest(await findRequestOrRefuse(reader, id));
    const pollAfter = pollAfterSeconds(document.status, startsInMs);
    if (pollAfter !== undefined) {
      response.status(202).location(`/v1/investigations/${document.id}/result`).set('Retry-After', pollAfter);
    }
    response.json(document);
  },
});
