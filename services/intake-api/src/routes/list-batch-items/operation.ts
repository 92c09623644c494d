import { z } from 'zod';
import { itemError } from '@diq/contracts/item-answer.ts';
import { requestError } from '@diq/contracts/request-document.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { query } from './handler.ts';

const index = z.int().nonnegative().describe('Where the item stood in `requests`, from 0.');

const batchItem = z
  .discriminatedUnion('status', [
    z.strictObject({
      index,
      id: z.string(),
      machineId: z.string(),
      status: z.enum(requestStatuses),
      coalescedWith: z.string().optional(),
      investigationId: z.string().optional(),
      error: requestError.optional(),
    }),
    z.strictObject({
      index,
      machineId: z.string().optional(),
      status: z.literal('rejected'),
      error: itemError,
    }),
    z.strictObject({
      index,
      id: z.string(),
      status: z.literal('gone').describe('It ended longer ago than is kept.'),
    }),
  ])
  .meta({ id: 'BatchEntry', description: 'Where one item of a batch stands.' });

export const listBatchItemsOperation: DocumentedOperation = {
  method: 'get',
  path: '/v1/batches/:id/items',
  tag: 'Batches',
  id: 'listBatchItems',
  summary: 'Read the items of a batch, in input order',
  scope: 'read',
  query,
  answers: {
    200: {
      description: 'A page.',
      schema: z.strictObject({
        value: z.array(batchItem),
        nextLink: z.string().optional().describe('Path and query of the next page; absent on the last.'),
      }),
    },
  },
  problems: ['batch_not_found'],
};
