import { batchDocument, type BatchDocument } from '@diq/contracts/batch-document.ts';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import { isTerminal } from '@diq/contracts/status.ts';
import type { z } from 'zod';
import { DiqError } from './diq-error.ts';
import { pause, type CallOptions, type Transport } from './transport.ts';

export interface WaitOptions<Document> extends Pick<CallOptions, 'signal'> {
  /** `start`: its calls are made, or will not be. `end`, the default: also what they started has ended. */
  until?: 'start' | 'end';
  /** For how long in all, in ms, looks and their repetitions included; without it, for as long as it takes. */
  timeoutMs?: number | undefined;
  /** The longest wait between two looks, in ms: for people who watch. Default: what the service asks for. */
  everyMs?: number | undefined;
  /** Called with each look. */
  onLook?: (document: Document) => void;
}

const shortestWaitMs = 1_000;
/** Of what the service names no time for: the ends of results are read about so often. */
const followEveryMs = 15_000;
/** Before the end of the time, for one more look. */
const lastLookMs = 1_000;
/** A timer may go off a little before its time. */
const timerSlackMs = 2;

/** Waiting for what takes hours: each asks as often as the service says, and ends with the last document. */
export function waitCalls(transport: Transport, prefix: string) {
  return {
    /** @throws DiqError `not_ended` once `timeoutMs` is over */
    waitForRequest: (id: string, options: WaitOptions<RequestDocument> = {}) =>
      follow(transport, `${prefix}/requests/${encodeURIComponent(id)}`, requestDocument, options, hasRequest),
    /** @throws DiqError `not_ended` once `timeoutMs` is over */
    waitForBatch: (id: string, options: WaitOptions<BatchDocument> = {}) =>
      follow(transport, `${prefix}/batches/${encodeURIComponent(id)}`, batchDocument, options, hasBatch),
  };
}

/** How far it is: calls made, and results at their ends. */
interface Reached {
  start: boolean;
  end: boolean;
}

function hasRequest({ status, result }: RequestDocument): Reached {
  const start = isTerminal(status);
  // Without an outcome the result is not followed, and no end of it will be known.
  return { start, end: start && result?.outcome !== 'running' };
}

function hasBatch({ status, results }: BatchDocument): Reached {
  const start = status === 'completed';
  return { start, end: start && results.running === 0 };
}

async function follow<Document>(
  transport: Transport,
  path: string,
  schema: z.ZodType<Document>,
  { until = 'end', timeoutMs = Infinity, everyMs = Infinity, onLook, signal }: WaitOptions<Document>,
  reached: (document: Document) => Reached,
): Promise<Document> {
  const endMs = performance.now() + timeoutMs;
  const leftMs = () => endMs - performance.now();
  const notEnded = (httpRequestId: string, cause?: unknown) => {
    const detail = `It has not ended within ${Math.round(timeoutMs / 1_000)} s.`;
    return new DiqError({ code: 'not_ended', detail, httpRequestId, call: `GET ${path}`, cause });
  };
  for (;;) {
    const callTimeoutMs = Math.min(transport.callTimeoutMs, leftMs());
    const look = { method: 'GET', path, schema, signal, timeoutMs: callTimeoutMs } as const;
    const answer = await transport.send(look).catch((error: unknown) => {
      if (error instanceof DiqError && leftMs() <= timerSlackMs) throw notEnded(error.httpRequestId, error);
      throw error;
    });
    const { body, retryAfterMs = followEveryMs } = answer;
    onLook?.(body);
    if (reached(body)[until]) return body;
    const wantedMs = Math.max(shortestWaitMs, Math.min(retryAfterMs, everyMs));
    const waitMs = Math.min(wantedMs, leftMs() - lastLookMs);
    if (waitMs < 1) throw notEnded(answer.headers.get('x-request-id') ?? '');
    await pause(waitMs, signal);
  }
}
