import { z } from 'zod';

/** Of what looks at many requests. */
const remaining = z
  .boolean()
  .describe('The time was up before all were looked at: the same request again goes on.');

const cursor = z
  .string()
  .optional()
  .describe('While some remain: with it the same request goes on behind what was looked at.');

/** How many requests were cancelled. */
export const cancelled = z
  .strictObject({
    cancelled: z.int().nonnegative(),
    alreadyDispatched: z.int().nonnegative().describe('Fitted, and their call was made or being made.'),
    remaining,
    cursor,
  })
  .meta({ id: 'Cancelled' });

/** How many requests of a batch were cancelled. */
export const batchCancelled = cancelled
  .omit({ cursor: true })
  .extend({ id: z.string() })
  .meta({ id: 'BatchCancelled' });

/** Why a bulk retry accepted no more. */
export const retryStoppers = ['backlog_full', 'storage_full', 'redis_full'] as const;

const count = z.int().nonnegative();
/** How many requests were asked for again. */
export const retried = z
  .strictObject({
    retried: count.describe('Requests that were made anew.'),
    coalesced: count.describe('Of them, those that share a call or a result with others.'),
    alreadyRetried: count.describe('Fitted, and have `retriedBy`.'),
    deadlinePassed: count.describe('Fitted, and their `notAfter` has passed.'),
    tooManyJoined: count.describe('Fitted, and too many wait for their machine.'),
    remaining: remaining.describe('Not all were looked at: the same request again goes on.'),
    cursor,
    stoppedBy: z.enum(retryStoppers).optional().describe('Why no more was accepted: go on later.'),
  })
  .meta({ id: 'Retried' });

/** How much was deleted. */
export const purged = z
  .strictObject({
    requests: z.int().nonnegative().describe('Deleted.'),
    batches: z.int().nonnegative().describe('Complete ones that were deleted with them.'),
    remaining,
  })
  .meta({ id: 'Purged' });
