import { batchDocument } from '@diq/contracts/batch-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';

export const getBatchOperation: DocumentedOperation = {
  method: 'get',
  path: '/v1/batches/:id',
  tag: 'Batches',
  id: 'getBatch',
  summary: 'Ask how far a batch is',
  scope: 'read',
  answers: {
    200: {
      description: 'The batch; with `Retry-After` until it is completed.',
      schema: batchDocument,
      headers: ['Retry-After?'],
    },
  },
  problems: ['batch_not_found'],
};
