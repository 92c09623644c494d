import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { refuseWhereOnlyLooking } from '../http/request-context.ts';
import { redirectToLink } from './redirect-to-link.ts';

export const getPackage = defineRoute({
  method: 'get',
  path: '/v1/investigations/:id/package',
  id: 'getPackageOfInvestigation',
  tag: 'Requests',
  summary: 'Fetch the package of evidence that a request collected',
  description: 'The link is Defender’s own and short-lived: follow it at once.',
  scope: 'read',
  queue: 'id',
  answers: { 302: { description: 'Where the package is.', headers: ['Location'] } },
  problems: ['request_not_found', 'result_not_found', 'result_not_ready', 'link_unavailable'],
  async handle({ id, context, response }, deps: Dependencies) {
    refuseWhereOnlyLooking(context);
    await redirectToLink({ id, kind: 'package' }, deps, response);
  },
});
