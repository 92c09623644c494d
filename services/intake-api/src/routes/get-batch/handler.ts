import type { RequestHandler } from 'express';
import type { StoredBatch } from '@diq/queue/read-requests.ts';
import type { AppParts } from '../../app-parts.ts';
import { findBatchOrRefuse } from '../../find-or-refuse.ts';
import { isoTime } from '../../iso-time.ts';
import { drainedAtMs } from '../../queue-state.ts';

/**
 * `GET /v1/batches/{id}`. `expectedCompletionAt` is the start of the last place in the order that any of its requests
 * can have, so an upper bound by the present state; `null` when completed, or while nobody can say.
 */
export function getBatch({ reader, readState }: Pick<AppParts, 'reader' | 'readState'>): RequestHandler {
  return async (request, response) => {
    const batch = await findBatchOrRefuse(reader, request.params['id']);
    const { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected } =
      batch.counts;
    response.json({
      id: batch.id,
      createdAt: isoTime(batch.createdAtMs),
      status: batch.isComplete ? 'completed' : 'running',
      counts: { total, queued, dispatching, started, failed, cancelled, expired, unknown, rejected },
      expectedCompletionAt: batch.isComplete ? null : await expectedCompletionAt(batch, readState),
    });
  };
}

async function expectedCompletionAt(
  batch: StoredBatch,
  readState: AppParts['readState'],
): Promise<string | null> {
  const state = await readState();
  // What is dispatching already depends on nothing that waits.
  const atMs = batch.counts.queued === 0 ? state.view.nowMs : drainedAtMs(state);
  return atMs === undefined ? null : (isoTime(atMs) ?? null);
}
