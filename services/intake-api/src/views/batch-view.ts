import type { BatchDocument, ListedBatch as BatchInList } from '@diq/contracts/batch-document.ts';
import type { ListedBatch } from '@diq/queue/batches/list-batches.ts';
import type { StoredBatch } from '@diq/queue/requests/request-reader.ts';
import { describeCallback, describeEndCallback } from '@diq/queue/requests/stored-callback.ts';
import type { Completion } from '../estimates/batch-completion.ts';
import { isoTime } from '../estimates/forecast-start.ts';

export function describeBatch(batch: StoredBatch, completion: Completion | undefined): BatchDocument {
  return {
    ...describeListedBatch(batch),
    expectedCompletionAt: completion && 'atMs' in completion ? (isoTime(completion.atMs) ?? null) : null,
    ...(completion && 'notBeforeMs' in completion
      ? { startNotBefore: new Date(completion.notBeforeMs).toISOString() }
      : {}),
  };
}

export function describeListedBatch(batch: ListedBatch): BatchInList {
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
