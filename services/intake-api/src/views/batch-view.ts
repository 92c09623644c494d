import { z } from 'zod';
import { callbackState } from '@diq/contracts/callback-state.ts';
import { resultOutcomes, type ResultOutcome } from '@diq/contracts/result-outcome.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { ListedBatch } from '@diq/queue/batches/list-batches.ts';
import type { StoredBatch } from '@diq/queue/requests/request-reader.ts';
import { describeCallback, describeEndCallback } from '@diq/queue/requests/stored-callback.ts';
import type { Completion } from '../estimates/batch-completion.ts';
import { isoTime } from '../estimates/forecast-start.ts';

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
export const batchEntry = batchDocument
  .omit({ expectedCompletionAt: true, startNotBefore: true })
  .meta({ id: 'ListedBatch', description: 'A batch in a list.' });

export function describeBatch(batch: StoredBatch, completion: Completion | undefined): BatchDocument {
  return {
    ...describeListedBatch(batch),
    expectedCompletionAt: completion && 'atMs' in completion ? (isoTime(completion.atMs) ?? null) : null,
    ...(completion && 'notBeforeMs' in completion
      ? { startNotBefore: new Date(completion.notBeforeMs).toISOString() }
      : {}),
  };
}

export function describeListedBatch(batch: ListedBatch): z.output<typeof batchEntry> {
  const endCallback = batch.callback && describeEndCallback(batch.callback, batch.endedAtMs !== undefined);
  const { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected } = batch.counts;
  return {
    id: batch.id,
    createdAt: new Date(batch.createdAtMs).toISOString(),
    ...(batch.completedAtMs === undefined
      ? {}
      : { completedAt: new Date(batch.completedAtMs).toISOString() }),
    status: batch.isComplete ? 'completed' : 'running',
    counts: { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected },
    results: batch.results,
    ...(batch.endedAtMs === undefined ? {} : { endedAt: new Date(batch.endedAtMs).toISOString() }),
    ...(batch.callback === undefined ? {} : { callback: describeCallback(batch.callback) }),
    ...(endCallback === undefined ? {} : { endCallback }),
  };
}
