import type { StoredBatch } from '@diq/queue/requests/request-reader.ts';
import { describeCallback } from '@diq/queue/requests/stored-callback.ts';
import type { BatchDocument } from './batch-document.ts';
import type { Completion } from '../estimates/batch-completion.ts';
import { isoTime } from '../estimates/forecast-start.ts';

/** A batch as callers get it. */
export function batchDocument(batch: StoredBatch, completion: Completion | undefined): BatchDocument {
  const { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected } = batch.counts;
  return {
    id: batch.id,
    createdAt: new Date(batch.createdAtMs).toISOString(),
    status: batch.isComplete ? 'completed' : 'running',
    counts: { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected },
    expectedCompletionAt: completion && 'atMs' in completion ? (isoTime(completion.atMs) ?? null) : null,
    ...(completion && 'notBeforeMs' in completion
      ? { startNotBefore: new Date(completion.notBeforeMs).toISOString() }
      : {}),
    ...(batch.callback === undefined ? {} : { callback: describeCallback(batch.callback) }),
  };
}
