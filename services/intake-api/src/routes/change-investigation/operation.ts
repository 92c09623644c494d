import { z } from 'zod';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { requestReceipt } from '../../submission/receipt.ts';
import { change } from './handler.ts';

export const changeInvestigationOperation: DocumentedOperation = {
  method: 'patch',
  path: '/v1/investigations/:id',
  tag: 'Requests',
  id: 'changeInvestigation',
  summary: 'Change priority or deadline of a queued request',
  scope: 'submit',
  isOwnOnly: true,
  body: { schema: change, example: { priority: 'critical', notAfter: null } },
  answers: {
    200: { description: 'The changed request.', schema: z.union([requestDocument, requestReceipt]) },
  },
  problems: ['request_not_found', 'already_dispatched', 'already_ended', 'changed_too_often'],
};
