import { z } from 'zod';
import { investigationItem } from '@diq/contracts/investigation-item.ts';
import { describeWarnings } from '@diq/contracts/machine-warnings.ts';
import type { OperationName } from '@diq/contracts/operations/index.ts';
import { resultIn } from '@diq/contracts/operations/result-fields.ts';
import { requestError } from '@diq/contracts/request-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { reasonTexts, resultOutcomes, unknownReasons } from '@diq/contracts/result-outcome.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import { wholeCharacters } from '@diq/contracts/text.ts';
import { traceContext } from '@diq/contracts/trace-context.ts';
import type { TraceContext } from '@diq/contracts/trace-context.ts';
import { withoutUndefined } from '@diq/contracts/without-undefined.ts';
import { keyWithoutPlace } from '../admission/sharing.ts';
import type { TaskPlace } from '../scheduling/task-place.ts';
import { describeCallback, describeEndCallback, parseStoredCallback } from './stored-callback.ts';
import type { StoredCallback } from './stored-callback.ts';

/** The hash of one request as the scripts write it. */
const storedRequest = z.object({
  status: z.enum(requestStatuses),
  task: z.string(),
  batch: z.string().optional(),
  with: z.string().optional(),
  dispatchedAt: z.coerce.number().optional(),
  endedAt: z.coerce.number().optional(),
  investigationId: z.string().optional(),
  actionId: z.string().optional(),
  attached: z.string().optional(),
  // Of its result: its own once that has ended, before that its task's; see `lua/lib/results.lua`.
  outcome: z.enum(resultOutcomes).optional(),
  shown: z.string().optional(),
  checkedAt: z.coerce.number().optional(),
  beganAt: z.coerce.number().optional(),
  overAt: z.coerce.number().optional(),
  why: z.enum(unknownReasons).optional(),
  error: z.string().optional(),
  retriedBy: z.string().optional(),
  attempts: z.coerce.number().default(0),
  warnings: z.string().optional(),
  // In two parts where it is longer than Redis stores compactly, see `lua/lib/indexes.lua`.
  caller: z.string().optional(),
  caller1: z.string().optional(),
});

/** What is stored was acceptable when it came, also by rules that an older version had. */
const storedText = z.string().overwrite(wholeCharacters);
const storedTexts = {
  comment: storedText,
  source: storedText.optional(),
  correlation: z.record(storedText, storedText).optional(),
  callbackUrl: storedText.optional(),
};

/**
 * What stands in `doc`: what was asked, when (`at`, ms), the coalescing key where it is not the machine, its place in the order
 * of the machine, the request that it repeats, and the trace that it belongs to.
 */
export const askedFor = investigationItem.extend({
  ...storedTexts,
  at: z.int(),
  key: z.string().optional(),
  place: z.string().optional(),
  retryOf: z.string().optional(),
  trace: traceContext.optional(),
});

export interface StoredRequest {
  document: RequestDocument;
  taskId: string;
  /** Who asked, by the name of the credential; `undefined` for one that was recorded before callers were. */
  caller?: string;
  /** The receiver of the callback with its outcome. */
  callback?: StoredCallback;
  /** The trace of the call that posted it; not for the public document. */
  trace?: TraceContext;
  /** Its place in the order of its machine, and what it asks for there; see `machine-order/`. */
  turn?: { key: string; place: string };
}

/** With its task's place in the order: 1 is next, `undefined` where it has none. */
export interface PlacedRequest extends StoredRequest {
  position: number | undefined;
  /** Why its task stands there; only of one that is queued. */
  place?: TaskPlace | undefined;
  /** Why its task is put aside and has no place; only of one that is queued. */
  aside?: Aside | undefined;
}

/** So long after it was put aside a task is called though Defender gets no reports of its machine still: nothing starves. */
export const calledAnywayAfterMs = 24 * 3_600_000;

/** What a task waits for that has no job meanwhile. */
export interface Aside {
  reason: 'machine_busy' | 'machine_offline';
  /** Of a machine that is offline: when the task was put aside. */
  sinceMs: number | undefined;
}

/**
 * The fields of a request's hash that hold, one after the other, the JSON of what was asked: in parts that Redis stores
 * compactly, see `lua/lib/indexes.lua`.
 */
export const docFields = ['doc', 'doc1', 'doc2', 'doc3', 'doc4', 'doc5', 'doc6', 'doc7'] as const;

/** Puts the parts together; `null` where there is none. */
export function joinDoc(parts: readonly (string | null | undefined)[]): string | null {
  const end = parts.findIndex((part) => part === null || part === undefined);
  return end === 0 ? null : parts.slice(0, end < 0 ? undefined : end).join('');
}

/** What was asked, from a request's whole hash. */
export function docOf(hash: Readonly<Record<string, string>>): string | null {
  return joinDoc(docFields.map((field) => hash[field]));
}

/** Reads the hash of a request of this operation; `undefined` for an empty one, which is how Redis answers for an unknown key. */
export function parseStoredRequest(
  id: string,
  hash: Record<string, string>,
  operation?: OperationName,
): StoredRequest | undefined {
  if (hash['status'] === undefined) return undefined;
  const stored = storedRequest.parse(hash);
  const callback = parseStoredCallback(hash, stored.status);
  const { trace, at, key, place, ...asked } = askedFor.parse(JSON.parse(docOf(hash) ?? ''));
  const document = {
    id,
    batchId: stored.batch,
    operation,
    ...asked,
    createdAt: new Date(at).toISOString(),
    status: stored.status,
    coalescedWith: stored.with,
    warnings: warningsIn(stored.warnings),
    dispatchedAt: timeOf(stored.dispatchedAt),
    endedAt: timeOf(stored.endedAt),
    retriedBy: stored.retriedBy,
    investigationId: stored.investigationId,
    result: resultOf(stored),
    error: stored.error === undefined ? undefined : requestError.parse(JSON.parse(stored.error)),
    attempts: stored.attempts,
    callback: callback && describeCallback(callback),
    endCallback: callback && describeEndCallback(callback, hasEndedResult(stored)),
  };
  return {
    document: withoutUndefined(document),
    taskId: stored.task,
    ...(stored.caller === undefined ? {} : { caller: stored.caller + (stored.caller1 ?? '') }),
    ...(callback === undefined ? {} : { callback }),
    ...(trace === undefined ? {} : { trace }),
    ...(key === undefined || place === undefined
      ? {}
      : { turn: { key: keyWithoutPlace(key, place), place } }),
  };
}

/** Whether the result was followed to its end. */
const hasEndedResult = ({ outcome }: z.output<typeof storedRequest>): boolean =>
  outcome !== undefined && outcome !== 'running';

function resultOf(stored: z.output<typeof storedRequest>): RequestDocument['result'] {
  const result = resultIn(stored);
  if (result === undefined) return undefined;
  const { attached, shown: state, outcome, checkedAt, beganAt, overAt, why } = stored;
  return withoutUndefined({
    ...result,
    attached: attached === undefined ? undefined : (true as const),
    state,
    outcome,
    checkedAt: timeOf(checkedAt),
    startedAt: timeOf(beganAt),
    endedAt: timeOf(overAt),
    reason: why === undefined ? undefined : reasonTexts[why],
  });
}

function timeOf(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs).toISOString();
}

function warningsIn(stored = ''): RequestDocument['warnings'] {
  const warnings = describeWarnings(stored);
  return warnings.length === 0 ? undefined : warnings;
}
