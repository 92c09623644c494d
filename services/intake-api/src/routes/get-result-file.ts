import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { refuseWhereOnlyLooking } from '../http/request-context.ts';
import { redirectToLink } from './redirect-to-link.ts';

export const getResultFile = defineRoute({
  method: 'get',
  path: '/v1/investigations/:id/results/:index',
  id: 'getResultFileOfInvestigation',
  tag: 'Requests',
  summary: 'Fetch what a command of a live response brought',
  description: 'The commands of a request are counted from 0. The link is Defender’s own: follow it at once.',
  scope: 'read',
  queue: 'id',
  answers: { 302: { description: 'Where the result is.', headers: ['Location'] } },
  problems: ['request_not_found', 'result_not_found', 'result_not_ready', 'link_unavailable'],
  async handle({ id, context, request, response }, deps: Dependencies) {
    refuseWhereOnlyLooking(context);
    await redirectToLink({ id, kind: 'results', index: String(request.params['index']) }, deps, response);
  },
});
