import { priorities, type Priority } from '@diq/contracts/priority.ts';
import type { QueuedRequest, QueueSample } from '@diq/queue/operations/sample-queue.ts';

const maxSources = 10;

/** What waits, by class and by source. Times are those at which the requests arrived. */
export function describeWaiting(sample: QueueSample, calls: Record<Priority, number>) {
  const { queued, some, oldest, isComplete } = sample;
  const looked = isComplete ? some : [...oldest, ...some];
  // What one request that was looked at stands for.
  const weight = some.length === 0 ? 0 : queued / some.length;
  const sources = countBySource(some).toSorted(
    (a, b) => b.count - a.count || (a.source ?? '').localeCompare(b.source ?? ''),
  );
  const rest = sources.slice(maxSources).reduce((sum, { count }) => sum + count, 0);
  return {
    /** `calls` is exact: several requests for one machine share one call. */
    byPriority: priorities.map((priority) => ({
      priority,
      calls: calls[priority],
      oldestSince: oldestOf(looked.filter((request) => request.priority === priority)),
    })),
    /** The sources with the most requests; `source` is null for those of requests that name none. */
    bySource: sources.slice(0, maxSources).map(({ source, count }) => ({
      source,
      requests: Math.round(count * weight),
      oldestSince: oldestOf(looked.filter((request) => (request.source ?? null) === source)),
    })),
    /** Requests of all other sources. */
    otherSources: Math.round(rest * weight),
    /** Too many wait to be looked at: numbers of requests are estimates, and something older may wait. */
    isEstimate: !isComplete,
  };
}

function countBySource(requests: readonly QueuedRequest[]): { source: string | null; count: number }[] {
  const counts = new Map<string | null, number>();
  for (const { source = null } of requests) counts.set(source, (counts.get(source) ?? 0) + 1);
  return [...counts].map(([source, count]) => ({ source, count }));
}

function oldestOf(requests: readonly QueuedRequest[]): string | null {
  const firstMs = requests.reduce((least, { createdAtMs }) => Math.min(least, createdAtMs), Infinity);
  return Number.isFinite(firstMs) ? new Date(firstMs).toISOString() : null;
}
