import type { Priority } from '@diq/contracts/priority.ts';
import type { ResultOutcome } from '@diq/contracts/result-outcome.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import type { StoredRequest } from './stored-request.ts';

/** What requests are looked for by; without any field, all of them. */
export interface RequestFilter {
  /** Any of these. */
  status?: readonly RequestStatus[] | undefined;
  machineId?: string | undefined;
  batchId?: string | undefined;
  source?: string | undefined;
  priority?: Priority | undefined;
  /** What came of what their calls started. */
  outcome?: ResultOutcome | undefined;
  /** All of these pairs. */
  correlation?: Readonly<Record<string, string>> | undefined;
  /** When they were asked for, ms: not before `fromMs`, and before `toMs`. */
  fromMs?: number | undefined;
  toMs?: number | undefined;
  /** Who asked, by the name of the credential. */
  caller?: string | undefined;
}

/** Whether a request is one that the filter asks for. */
export function fits(
  { document, caller: owner }: StoredRequest,
  { status, machineId, batchId, source, priority, outcome, correlation, fromMs, toMs, caller }: RequestFilter,
): boolean {
  const createdAtMs = Date.parse(document.createdAt);
  return (
    (status === undefined || status.includes(document.status)) &&
    (machineId === undefined || document.machineId === machineId) &&
    (batchId === undefined || document.batchId === batchId) &&
    (source === undefined || document.source === source) &&
    (outcome === undefined || document.result?.outcome === outcome) &&
    (priority === undefined || document.priority === priority) &&
    pairsOf(correlation).every(([key, value]) => valueOf(document.correlation, key) === value) &&
    (fromMs === undefined || createdAtMs >= fromMs) &&
    (toMs === undefined || createdAtMs < toMs) &&
    (caller === undefined || owner === caller)
  );
}

export function pairsOf(correlation: RequestFilter['correlation']): [key: string, value: string][] {
  return Object.entries(correlation ?? {});
}

function valueOf(correlation: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return correlation && Object.hasOwn(correlation, key) ? correlation[key] : undefined;
}

/** Whether nearly every request that a walk meets fits. */
export function isExact({
  status,
  machineId,
  batchId,
  source,
  outcome,
  priority,
  correlation,
  caller,
}: RequestFilter): boolean {
  const indexed = [status, machineId, batchId, source, outcome, caller].filter(
    (value) => value !== undefined,
  ).length;
  return priority === undefined && indexed + pairsOf(correlation).length <= 1;
}
