import { z } from 'zod';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { requestReceipt } from '../../submission/receipt.ts';
import { query } from './handler.ts';

export const cancelInvestigationOperation: DocumentedOperation = {
  method: 'delete',
  path: '/v1/investigations/:id',
  tag: 'Requests',
  id: 'cancelInvestigation',
  summary: 'Cancel a request',
  description:
    'Others that share its call keep it. Against the beginning of its call exactly one wins: 409 when that was the call.',
  scope: 'submit',
  isOwnOnly: true,
  query,
  answers: {
    200: {
      description: 'The cancelled request, also when it was cancelled before.',
      schema: z.union([requestDocument, requestReceipt]),
    },
  },
  problems: ['request_not_found', 'already_dispatched', 'already_ended'],
};
