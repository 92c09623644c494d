import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';

export const getInvestigationResultOperation: DocumentedOperation = {
  method: 'get',
  path: '/v1/investigations/:id/result',
  tag: 'Requests',
  id: 'getInvestigationResult',
  summary: 'Wait for the end of a request',
  description: 'For clients that follow 202 and `Location` by themselves, such as Logic Apps.',
  scope: 'read',
  answers: {
    200: { description: 'The request has ended.', schema: requestDocument },
    202: {
      description: 'The request has not ended yet: ask again after `Retry-After`.',
      schema: requestDocument,
      headers: ['Location', 'Retry-After'],
    },
  },
  problems: ['request_not_found'],
};
