import type { BatchDocument, BatchEntry } from '@diq/contracts/batch-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { textTable } from './text-table.ts';

type Named = {
  machineId?: string | undefined;
  machineName?: string | undefined;
  aadDeviceId?: string | undefined;
};

/** The machine as its caller named it. */
export function machineOf({ machineId, machineName, aadDeviceId }: Named): string {
  return machineId ?? machineName ?? aadDeviceId ?? '–';
}

/** What became of a request, in a few words. */
export function outcomeOf(request: RequestDocument): string {
  const { status, error, result, investigationId, blockedBy, expectedStartAt, startNotBefore } = request;
  if (error) return `${error.code}: ${error.message}`;
  if (result) return [`${result.kind} ${result.id}`, result.outcome].filter(Boolean).join(', ');
  if (investigationId) return `investigation ${investigationId}`;
  if (blockedBy) return blockedBy.message;
  if (status === 'queued' && expectedStartAt) return `expected to start at ${expectedStartAt}`;
  return startNotBefore ? `does not start before ${startNotBefore}` : '–';
}

export function requestText(request: RequestDocument): string {
  const { id, operation, status, priority, position, createdAt, endedAt, batchId, source } = request;
  const rows: [string, string | number | undefined][] = [
    ['request', id],
    ['batch', batchId],
    ['operation', operation],
    ['machine', machineOf(request)],
    ['status', status],
    ['position', position],
    ['priority', priority],
    ['source', source],
    ['created', createdAt],
    ['ended', endedAt],
    ['outcome', outcomeOf(request)],
  ];
  return textTable(
    [],
    rows.filter(([, value]) => value !== undefined),
  );
}

export function requestTable(requests: readonly RequestDocument[]): string {
  if (requests.length === 0) return 'No request fits.\n';
  return textTable(
    ['id', 'machine', 'status', 'priority', 'created', 'outcome'],
    requests.map((one) => [one.id, machineOf(one), one.status, one.priority, one.createdAt, outcomeOf(one)]),
  );
}

const ends = ['started', 'failed', 'unknown', 'expired', 'cancelled', 'rejected'] as const;

/** How many are where: `started 3, failed 1, waiting 16`. */
export function countsOf({ counts, results }: Pick<BatchDocument, 'counts' | 'results'>): string {
  const named = ends.flatMap((end) =>
    counts[end] > 0 || end === 'started' ? [`${end} ${counts[end]}`] : [],
  );
  const waiting = counts.queued + counts.dispatching;
  const running = results.running > 0 ? [`results running ${results.running}`] : [];
  return [...named, `waiting ${waiting}`, ...running].join(', ');
}

export function batchText(batch: BatchDocument): string {
  const { id, status, createdAt, completedAt, endedAt, expectedCompletionAt } = batch;
  const rows: [string, string | number | null | undefined][] = [
    ['batch', id],
    ['status', status],
    ['requests', `${batch.counts.total}: ${countsOf(batch)}`],
    ['created', createdAt],
    ['last call expected', expectedCompletionAt],
    ['completed', completedAt],
    ['ended', endedAt],
  ];
  return textTable(
    [],
    rows.flatMap(([name, value]) => (value === undefined || value === null ? [] : [[name, value]])),
  );
}

/** Items of a batch that did not end in a start. */
export function unhappyTable(entries: readonly BatchEntry[]): string {
  const rows = entries.flatMap((entry) => {
    if (entry.status === 'gone' || entry.status === 'started') return [];
    const why = entry.error ? `${entry.error.code}: ${entry.error.message}` : '–';
    return [[entry.index + 1, machineOf(entry), entry.status, why]];
  });
  return rows.length === 0 ? '' : textTable(['#', 'machine', 'status', 'reason'], rows);
}
