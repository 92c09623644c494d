import type { BatchDocument } from '@diq/contracts/batch-document.ts';
import type { StoredBatch } from '@diq/queue/read-requests.ts';
import { describeCallback } from '@diq/queue/stored-callback.ts';

/** A batch as it is told. */
export function batchDocument(batch: StoredBatch, expectedCompletionAt: string | null): BatchDocument {
  const { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected } = batch.counts;
  return {
    id: batch.id,
    createdAt: new Date(batch.createdAtMs).toISOString(),
    status: batch.isComplete ? 'completed' : 'running',
    counts: { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected },
    expectedCompletionAt,
    ...(batch.callback === undefined ? {} : { callback: describeCallback(batch.callback) }),
  };
}
