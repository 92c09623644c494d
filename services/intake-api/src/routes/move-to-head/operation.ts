import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { body } from './handler.ts';

export const moveToHeadOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/investigations/:id/move-to-head',
  tag: 'Requests',
  id: 'moveToHead',
  summary: 'Have a queued request go next',
  scope: 'admin',
  body: { schema: body, isOptional: true, example: { reason: 'The CISO waits for it' } },
  answers: { 200: { description: 'The request, at its new place.', schema: requestDocument } },
  problems: ['request_not_found', 'already_dispatched', 'already_ended'],
};
