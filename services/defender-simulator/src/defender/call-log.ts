import { createArrivalLog, type Arrival, type ArrivalLog } from '../arrival-log.ts';
import type { Clock } from '../clock.ts';

export interface CallDetails {
  operation: string;
  machineId: string;
  /** The `Comment` of the body; absent when there was none. */
  comment?: string;
  /** The header of W3C Trace Context; absent when there was none. */
  traceparent?: string;
  /** Carried a token that was issued here and is still good. */
  authorised: boolean;
  /** Weighs in the quota. */
  counted: boolean;
  /** The investigation that this call made or joined, as Defender writes ids in its lists. */
  investigationId?: string;
  /** The machine action that this call made or was answered with. */
  actionId?: string;
  /** A page stood in the place of the answer's document, under its status. */
  paged?: boolean;
  /** What was sent as Retry-After, when it was a number of seconds. */
  retryAfterS?: number;
  /** When the answer was handed to the connection, by the clock of `atMs`; absent without an answer. */
  answeredAtMs?: number;
}

export type LoggedCall = Arrival & CallDetails;

export interface Judgement {
  /** Greatest number of such calls in any rolling window, whatever became of them. */
  maxInAnyWindow: number;
  /** The same over the calls with a valid token. */
  maxAuthorisedInAnyWindow: number;
  /** Ids of the investigations that the logged calls made or joined. One call, one id; a double start shows as two. */
  investigationsByMachine: Record<string, string[]>;
}

/** Every call that asked for something to be done to a machine: the truth that a limiter is judged by. */
export interface CallLog extends ArrivalLog<CallDetails> {
  judge(windowMs: number): Judgement;
}

export function createCallLog(clock: Clock): CallLog {
  const log = createArrivalLog<CallDetails>(clock);
  return {
    ...log,
    judge(windowMs) {
      const calls = log.entries();
      const authorised = calls.filter((call) => call.authorised);
      return {
        maxInAnyWindow: rollingMaximum(timesOf(calls), windowMs),
        maxAuthorisedInAnyWindow: rollingMaximum(timesOf(authorised), windowMs),
        investigationsByMachine: byMachine(calls),
      };
    },
  };
}

function timesOf(calls: readonly LoggedCall[]): number[] {
  return calls.map((call) => call.atMs);
}

function byMachine(calls: readonly LoggedCall[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { machineId, investigationId } of calls) {
    if (investigationId !== undefined) (found[machineId] ??= []).push(investigationId);
  }
  return found;
}

/**
 * The greatest number of calls that lie in any one stretch of `windowMs`.
 * The stretch is half open: calls exactly one window apart never lie in the same one.
 *
 * @param timesMs when the calls came, ascending
 */
export function rollingMaximum(timesMs: readonly number[], windowMs: number): number {
  let oldest = 0;
  let greatest = 0;
  timesMs.forEach((atMs, index) => {
    while (atMs - (timesMs[oldest] ?? atMs) >= windowMs) oldest += 1;
    greatest = Math.max(greatest, index - oldest + 1);
  });
  return greatest;
}
