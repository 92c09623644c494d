import { z } from 'zod';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { cancelled } from '../cancel-investigations/operation.ts';
import { query } from './handler.ts';

export const cancelBatchOperation: DocumentedOperation = {
  method: 'delete',
  path: '/v1/batches/:id',
  tag: 'Batches',
  id: 'cancelBatch',
  summary: 'Cancel what is queued of a batch',
  description: 'Repeat it while `remaining` is true. The batch and its items can be read as before.',
  scope: 'submit',
  isOwnOnly: true,
  query,
  answers: {
    200: {
      description: 'How many were cancelled.',
      schema: cancelled.extend({ id: z.string() }).meta({ id: 'BatchCancelled' }),
    },
  },
  problems: ['batch_not_found'],
};
