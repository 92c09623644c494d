import { z } from 'zod';
import { callbackState } from '@diq/contracts/callback-state.ts';
import { requestStatuses } from '@diq/contracts/status.ts';

const count = z.int().nonnegative();
const countOf = Object.fromEntries(requestStatuses.map((status) => [status, count])) as Record<
  (typeof requestStatuses)[number],
  typeof count
>;

/** A batch as callers get it: how many of its items there are in each status. */
export const batchDocument = z
  .strictObject({
    id: z.string(),
    createdAt: z.iso.datetime(),
    status: z.enum(['running', 'completed']).describe('`completed` when no request of it is open any more.'),
    counts: z.strictObject({ total: count, ...countOf, rejected: count }),
    expectedCompletionAt: z.iso
      .datetime()
      .nullable()
      .describe('When its last call is expected to start; null when completed, or while that is unknown.'),
    startNotBefore: z.iso
      .datetime()
      .optional()
      .describe(
        'While a hold of unknown length is on, in place of `expectedCompletionAt`: none of its queued requests starts before.',
      ),
    callback: callbackState.optional().describe('Of the batch itself, not of its requests.'),
  })
  .meta({ id: 'Batch', description: 'Requests that were posted together.' });

export type BatchDocument = z.output<typeof batchDocument>;
