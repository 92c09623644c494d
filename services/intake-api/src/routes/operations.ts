import { z } from 'zod';
import type { DocumentedOperation } from '../http/route-definition.ts';
import { watchStateOperation } from './watch-state/operation.ts';
import { submitInvestigationOperation } from './submit-investigation/operation.ts';
import { listInvestigationsOperation } from './list-investigations/operation.ts';
import { getInvestigationOperation } from './get-investigation/operation.ts';
import { getInvestigationResultOperation } from './get-investigation-result/operation.ts';
import { changeInvestigationOperation } from './change-investigation/operation.ts';
import { cancelInvestigationOperation } from './cancel-investigation/operation.ts';
import { cancelInvestigationsOperation } from './cancel-investigations/operation.ts';
import { moveToHeadOperation } from './move-to-head/operation.ts';
import { retryInvestigationOperation } from './retry-investigation/operation.ts';
import { submitBatchOperation } from './submit-batch/operation.ts';
import { getBatchOperation } from './get-batch/operation.ts';
import { listBatchItemsOperation } from './list-batch-items/operation.ts';
import { purgeInvestigationsOperation } from './purge-investigations/operation.ts';
import { cancelBatchOperation } from './cancel-batch/operation.ts';
import { getQuotaOperation } from './get-quota/operation.ts';
import { pauseQueueOperation } from './pause-queue/operation.ts';
import { resumeQueueOperation } from './resume-queue/operation.ts';
import { listAuditOperation } from './list-audit/operation.ts';

const health = z
  .strictObject({
    status: z.enum(['ok', 'unavailable']),
    version: z.string().describe('Of the service that answers.'),
    checks: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Health' });
const text = z.string();
const own = { method: 'get', tag: 'Operations' } as const;

/** Every route that there is, in the order in which they are shown. */
export const operations: readonly DocumentedOperation[] = [
  submitInvestigationOperation,
  listInvestigationsOperation,
  getInvestigationOperation,
  getInvestigationResultOperation,
  changeInvestigationOperation,
  cancelInvestigationOperation,
  cancelInvestigationsOperation,
  purgeInvestigationsOperation,
  moveToHeadOperation,
  retryInvestigationOperation,
  submitBatchOperation,
  getBatchOperation,
  listBatchItemsOperation,
  cancelBatchOperation,
  getQuotaOperation,
  watchStateOperation,
  pauseQueueOperation,
  resumeQueueOperation,
  listAuditOperation,
  {
    ...own,
    path: '/livez',
    id: 'getLiveness',
    summary: 'Whether the process lives',
    answers: { 200: { description: 'It does.', schema: health } },
  },
  {
    ...own,
    path: '/readyz',
    id: 'getReadiness',
    summary: 'Whether requests can be taken',
    answers: {
      200: { description: 'They can.', schema: health },
      503: { description: 'Redis takes no writes, or the service is being stopped.', schema: health },
    },
  },
  {
    ...own,
    path: '/metrics',
    id: 'getMetrics',
    summary: 'Metrics for Prometheus',
    answers: {
      200: { description: 'In the text format.', mediaType: 'text/plain', schema: text },
      500: { description: 'They could not be collected.', mediaType: 'text/plain', schema: text },
    },
  },
  {
    ...own,
    path: '/openapi.json',
    id: 'getOpenApi',
    summary: 'This document',
    answers: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
  },
  {
    ...own,
    path: '/docs',
    id: 'getDocs',
    summary: 'This document, to be read',
    answers: { 200: { description: 'A page.', mediaType: 'text/html', schema: text } },
  },
];
