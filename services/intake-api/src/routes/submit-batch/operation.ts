import { z } from 'zod';
import { investigationBatch, maxBatchItems } from '@diq/contracts/investigation-batch.ts';
import { investigationItem } from '@diq/contracts/investigation-item.ts';
import { batchAnswer, batchDryRun } from '@diq/contracts/item-answer.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { batchDryRunReceipt, batchReceipt } from '../../submission/receipt.ts';
import { dryRunQuery } from '../../submission/read-dry-run.ts';

/** What an item must have by itself: everything else may come from `defaults`. */
const batchItem = investigationItem.partial({ comment: true }).meta({
  id: 'BatchItem',
  description: 'One machine to be investigated; without a `comment`, that of `defaults`.',
});

/** The envelope with its items as they should be: each is validated by itself, and a bad one refuses only itself. */
const body = investigationBatch.extend({ requests: z.array(batchItem).min(1).max(maxBatchItems) }).meta({
  id: 'InvestigationBatch',
  description: 'Machines to be investigated, and what holds for all of them.',
});

export const submitBatchOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/batches',
  tag: 'Batches',
  id: 'submitBatch',
  summary: 'Ask for many investigations',
  description:
    'A bad item rejects itself and not the batch. The 202 is sent once every accepted item is stored. Requests for one machine share one call.',
  scope: 'submit',
  query: dryRunQuery,
  body: {
    schema: body,
    example: {
      defaults: { comment: 'INC-4711: suspicious logon', priority: 'high' },
      requests: [{ machineId: 'fb9ab6be3965095a09c057be7c90f0a2' }],
    },
  },
  isIdempotent: true,
  answers: {
    200: {
      description: 'With `dryRun=true`: what would become of it.',
      schema: z.union([batchDryRun, batchDryRunReceipt]),
    },
    202: {
      description: 'What became of each item, in input order.',
      schema: z.union([batchAnswer, batchReceipt]),
      headers: ['Location', 'Operation-Location', 'Retry-After', 'Idempotent-Replayed?'],
    },
  },
  problems: ['no_acceptable_item', 'storage_full', 'backlog_full', 'redis_full'],
};
