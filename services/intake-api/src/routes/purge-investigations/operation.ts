import { z } from 'zod';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { body } from './handler.ts';

const purged = z
  .strictObject({
    requests: z.int().nonnegative().describe('Deleted.'),
    batches: z.int().nonnegative().describe('Complete ones that were deleted with them.'),
    remaining: z
      .boolean()
      .describe('The time was up before all were looked at: the same request again goes on.'),
  })
  .meta({ id: 'Purged' });

export const purgeInvestigationsOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/investigations/purge',
  tag: 'Requests',
  id: 'purgeInvestigations',
  summary: 'Delete what has ended, before its retention is over',
  description:
    'Of one batch, or of all that is kept what ended before a time, is of one caller, or both. What is open stays. It works while Redis is full. Repeat it while `remaining` is true.',
  scope: 'admin',
  body: { schema: body, example: { endedBefore: '2026-11-01T00:00:00Z', reason: 'Redis is full' } },
  answers: { 200: { description: 'How much was deleted.', schema: purged } },
};
