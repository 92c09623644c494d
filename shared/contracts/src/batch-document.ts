import { z } from 'zod';
import { callbackState } from './callback-state.ts';
import { itemError } from './item-answer.ts';
import { namedMachine } from './machine-name.ts';
import { requestError } from './request-document.ts';
import { resultOutcomes, type ResultOutcome } from './result-outcome.ts';
import { requestStatuses } from './status.ts';

const count = z.int().nonnegative();
const countOf = Object.fromEntries(requestStatuses.map((status) => [status, count])) as Record<
  (typeof requestStatuses)[number],
  typeof count
>;

const resultsOf = Object.fromEntries(resultOutcomes.map((outcome) => [outcome, count])) as Record<
  ResultOutcome,
  typeof count
>;

export const batchStatuses = ['running', 'completed'] as const;

/** A batch as callers get it: how many of its items there are in each status. */
export const batchDocument = z
  .strictObject({
    id: z.string(),
    createdAt: z.iso.datetime(),
    completedAt: z.iso.datetime().optional(),
    status: z.enum(batchStatuses).describe('`completed` when no request of it is open any more.'),
    counts: z.strictObject({ total: count, ...countOf, rejected: count }),
    results: z
      .strictObject(resultsOf)
      .describe('Of its started requests, those whose results are followed, by the outcome of the result.'),
    endedAt: z.iso
      .datetime()
      .optional()
      .describe('When it was completed and no result of it was running any more.'),
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
    endCallback: callbackState
      .optional()
      .describe('Of its callback `batch.ended`, once no result of its requests is followed any more.'),
  })
  .meta({ id: 'Batch', description: 'Requests that were posted together.' });

export type BatchDocument = z.output<typeof batchDocument>;

/** A batch in a list: only a batch that is asked for alone has an estimate of its completion. */
export const batchListed = batchDocument
  .omit({ expectedCompletionAt: true, startNotBefore: true })
  .meta({ id: 'ListedBatch', description: 'A batch in a list.' });

const index = z.int().nonnegative().describe('Where the item stood in `requests`, from 0.');

export type ListedBatch = z.output<typeof batchListed>;

/** What became of one item of a batch. */
export const batchEntry = z
  .discriminatedUnion('status', [
    z.strictObject({
      index,
      id: z.string(),
      ...namedMachine,
      status: z.enum(requestStatuses),
      coalescedWith: z.string().optional(),
      investigationId: z.string().optional(),
      endedAt: z.iso.datetime().optional(),
      error: requestError.optional(),
    }),
    z.strictObject({
      index,
      ...namedMachine,
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

export type BatchEntry = z.output<typeof batchEntry>;
