import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';

export const getInvestigationOperation: DocumentedOperation = {
  method: 'get',
  path: '/v1/investigations/:id',
  tag: 'Requests',
  id: 'getInvestigation',
  summary: 'Ask where a request stands',
  scope: 'read',
  answers: {
    200: {
      description: 'The request, whatever its status; with `Retry-After` until it has ended.',
      schema: requestDocument,
      headers: ['Retry-After?'],
    },
  },
  problems: ['request_not_found'],
};
