import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { body } from './handler.ts';

export const retryInvestigationOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/investigations/:id/retry',
  tag: 'Requests',
  id: 'retryInvestigation',
  summary: 'Ask again for what failed or is unknown',
  description: 'Ends are final: this makes a new request that says the same, with `retryOf`.',
  scope: 'admin',
  body: { schema: body, isOptional: true, example: { reason: 'The machine is back' } },
  answers: {
    202: {
      description: 'The new request.',
      schema: requestDocument,
      headers: ['Location', 'Operation-Location', 'Retry-After'],
    },
  },
  problems: [
    'request_not_found',
    'nothing_to_retry',
    'deadline_passed',
    'too_many_joined',
    'storage_full',
    'backlog_full',
    'redis_full',
  ],
};
