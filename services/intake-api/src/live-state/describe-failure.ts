import type { Failure } from '@diq/queue/operations/recent-failures.ts';

/** A request that ended badly, without what callers wrote into it beside its source. */
export function describeFailure({ document, endedAtMs }: Failure) {
  const { id, machineId, status, source, priority, createdAt, error } = document;
  return {
    id,
    machineId,
    status,
    priority,
    source: source ?? null,
    createdAt,
    endedAt: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
    error: error ? { code: error.code, message: error.message } : null,
  };
}
