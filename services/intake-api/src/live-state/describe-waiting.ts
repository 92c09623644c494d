import { priorities, type Priority } from '@diq/contracts/priority.ts';
import type { QueuedRequest, QueueFigures } from '@diq/queue/operations/queue-figures.ts';

/** What waits, by class and by source. Times are those at which the requests arrived. */
export function describeWaiting(
  {
    sources,
    otherSources,
    otherRequests,
    oldest,
  }: Pick<QueueFigures, 'sources' | 'otherSources' | 'otherRequests' | 'oldest'>,
  calls: Record<Priority, number>,
) {
  return {
    /** Several requests for one machine share one call. */
    byPriority: priorities.map((priority) => ({
      priority,
      calls: calls[priority],
      /** `null` where none of the class is among those that wait for the longest, of which 250 are read. */
      oldestSince: oldestOf(oldest.filter((request) => request.priority === priority)),
    })),
    /** The ten sources with the most requests; `source` is null for those of requests that name none. */
    bySource: sources.map(({ source, requests }) => ({
      source: source ?? null,
      requests,
      oldestSince: oldestOf(oldest.filter((request) => request.source === source)),
    })),
    /** Requests of all other sources, and how many sources that is. */
    otherSources: otherRequests,
    otherSourceCount: otherSources,
  };
}

/** How many requests were queued, in steps of five minutes over the last 24 hours; the last entry is now. */
export function describeHistory({ lengths }: Pick<QueueFigures, 'lengths'>) {
  return lengths.map(({ atMs, queued }) => ({ at: new Date(atMs).toISOString(), queued }));
}

function oldestOf(requests: readonly QueuedRequest[]): string | null {
  const firstMs = requests.reduce((least, { createdAtMs }) => Math.min(least, createdAtMs), Infinity);
  return Number.isFinite(firstMs) ? new Date(firstMs).toISOString() : null;
}
