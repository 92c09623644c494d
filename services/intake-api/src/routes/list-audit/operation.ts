import { z } from 'zod';
import { auditEntry } from '@diq/queue/operations/audit-log.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { query } from './handler.ts';

const recorded = auditEntry.extend({ id: z.string(), at: z.iso.datetime() }).meta({
  id: 'AuditEntry',
  description: 'Who did what, when and why; what it was done to stands in further fields.',
});

export const listAuditOperation: DocumentedOperation = {
  method: 'get',
  path: '/v1/audit',
  tag: 'Quota and queue',
  id: 'listAudit',
  summary: 'Read who cancelled, changed, moved, retried, paused and resumed what',
  scope: 'admin',
  query,
  answers: {
    200: {
      description: 'A page, newest first.',
      schema: z.strictObject({
        value: z.array(recorded),
        nextLink: z.string().optional().describe('Path and query of the next page; absent on the last.'),
      }),
    },
  },
};
