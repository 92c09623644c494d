import { z } from 'zod';
import { investigationItem } from '@diq/contracts/investigation-item.ts';
import { requestDryRun } from '@diq/contracts/item-answer.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { requestDryRunReceipt, requestReceipt } from '../../submission/receipt.ts';
import { dryRunQuery } from '../../submission/read-dry-run.ts';

export const submitInvestigationOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/investigations',
  tag: 'Requests',
  id: 'submitInvestigation',
  summary: 'Ask for one investigation',
  description:
    'A request for a machine that waits already shares its call: that is a success, with `coalescedWith`.',
  scope: 'submit',
  query: dryRunQuery,
  body: {
    schema: investigationItem,
    example: { machineId: 'fb9ab6be3965095a09c057be7c90f0a2', comment: 'INC-4711: suspicious logon' },
  },
  isIdempotent: true,
  answers: {
    200: {
      description: 'With `dryRun=true`: what would become of it.',
      schema: z.union([requestDryRun, requestDryRunReceipt]),
    },
    202: {
      description: 'The request, stored.',
      schema: z.union([requestDocument, requestReceipt]),
      headers: ['Location', 'Operation-Location', 'Retry-After', 'Idempotent-Replayed?'],
    },
  },
  problems: ['deadline_unreachable', 'too_many_joined', 'storage_full', 'backlog_full', 'redis_full'],
};
