import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { fieldFault } from '@diq/contracts/field-fault.ts';
import { parseRetryAfter } from '@diq/runtime/http-server/retry-after.ts';
import { DiqError, type ClientCode } from './diq-error.ts';
import { fitsSchema } from './fits-schema.ts';
import { parseJson } from './parse-json.ts';
import { readBounded } from './read-bounded.ts';
import { pauseBeforeRetry } from './retry-policy.ts';

export interface ClientOptions {
  /** Where the service is: http or https, with the path under which a proxy serves it. */
  url: string | URL;
  /** An API key or an access token of Entra ID; a function is asked before each attempt, for tokens that are renewed. */
  credential: string | (() => string | Promise<string>);
  /** Of one attempt, in ms. Default 30 s: the longest that the service works at one call is 10 s. */
  attemptTimeoutMs?: number;
  /** Of a call with its retries, in ms. Default 2 minutes. */
  callTimeoutMs?: number;
  /** The largest answer that is read. Default 64 MiB; a page is far smaller. */
  maxAnswerBytes?: number;
  /** Called before each wait for a retry. */
  onRetry?: (retry: { call: string; code: string; waitMs: number }) => void;
  /** Called with each answer. */
  onAnswer?: (answer: AnswerSeen) => void;
  /** In place of the `fetch` of Node. */
  fetch?: typeof fetch;
}

export interface AnswerSeen {
  call: string;
  status: number;
  headers: Headers;
  /** From the attempt's start to the answer's head. */
  durationMs: number;
}

/** Of a single call. */
export interface CallOptions {
  /** Ends the call, and its waits: it rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** In place of `callTimeoutMs`. */
  timeoutMs?: number | undefined;
}

export interface Call<Answer = unknown> extends CallOptions {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query, from `/` on. */
  path: string;
  body?: object | undefined;
  /** The JSON that is expected; without it the text is the answer. */
  schema?: z.ZodType<Answer>;
  /** Default true: whether to repeat it after a lost answer. */
  isRepeatable?: boolean;
  /** Statuses that are answers, beside 2xx. */
  accepts?: readonly number[];
  idempotencyKey?: string | undefined;
}

export interface Answer<Body> {
  body: Body;
  status: number;
  headers: Headers;
  retryAfterMs: number | undefined;
}

export type Transport = ReturnType<typeof createTransport>;

const problem = z.object({
  code: z.string().max(100),
  title: z.string().optional(),
  detail: z.string().optional(),
  httpRequestId: z.string().optional(),
  errors: z.array(fieldFault).optional(),
});

/** A connection that is left alone sends nothing; the operating system would wait for minutes. */
const defaults = { attemptTimeoutMs: 30_000, callTimeoutMs: 120_000, maxAnswerBytes: 64 * 1_024 * 1_024 };

/** @throws RangeError for a URL that is none of http or https, or has a user, a query or a fragment */
export function createTransport(options: ClientOptions) {
  const { attemptTimeoutMs, callTimeoutMs, maxAnswerBytes } = { ...defaults, ...options };
  const base = baseOf(options.url);

  /** The answer, after as many attempts as help. @throws DiqError, or the reason of the signal */
  async function send<Body>(call: Call<Body>): Promise<Answer<Body>> {
    const name = nameOf(call);
    const requestId = randomUUID();
    const deadlineMs = performance.now() + (call.timeoutMs ?? callTimeoutMs);
    for (let count = 1; ; count++) {
      const error = await attempt(call, requestId, deadlineMs).catch((thrown: unknown) => {
        if (thrown instanceof DiqError) return thrown;
        throw thrown;
      });
      if (!(error instanceof DiqError)) return error;
      const { status, code, retryAfterMs } = error;
      const isRepeatable = call.isRepeatable ?? true;
      const waitMs = pauseBeforeRetry({ count, status, code, retryAfterMs, isRepeatable }, Math.random());
      if (waitMs === undefined || performance.now() + waitMs >= deadlineMs) throw error;
      options.onRetry?.({ call: name, code, waitMs });
      await pause(waitMs, call.signal);
    }
  }

  async function attempt<Body>(
    call: Call<Body>,
    requestId: string,
    deadlineMs: number,
  ): Promise<Answer<Body>> {
    const leftMs = Math.min(attemptTimeoutMs, deadlineMs - performance.now());
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(leftMs)));
    const signal = call.signal ? AbortSignal.any([call.signal, timeout]) : timeout;
    const failed = (code: ClientCode, detail: string, more: { status?: number; cause?: unknown } = {}) =>
      new DiqError({ code, detail, httpRequestId: requestId, call: nameOf(call), ...more });
    try {
      const response = await open(call, requestId, signal);
      const isAnswer = response.ok || (call.accepts ?? []).includes(response.status);
      if (!isAnswer && response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        throw failed('redirected', 'The service leads elsewhere, which is not followed: check the URL.', {
          status: response.status,
        });
      }
      const text = await readBounded(response, maxAnswerBytes);
      if (text === undefined)
        throw failed('answer_too_large', `The answer has over ${maxAnswerBytes} bytes.`);
      if (!isAnswer) throw problemOf(response, text, requestId, call);
      const body = call.schema ? parseJson(text) : text;
      if (call.schema && !fitsSchema(call.schema, body)) {
        const { status } = response;
        throw failed('unexpected_answer', 'The answer is not one of this API: check the URL.', { status });
      }
      return { body: body as Body, ...headOf(response) };
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof DiqError) throw error;
      if (timeout.aborted) throw failed('timed_out', 'No answer in time.', { cause: error });
      throw failed('unreachable', reasonOf(error), { cause: error });
    }
  }

  /** The answer's head. Its body is to be read or cancelled. */
  async function open(call: Call, requestId: string, signal: AbortSignal): Promise<Response> {
    const { credential } = options;
    const secret = typeof credential === 'string' ? credential : await credential();
    const startedMs = performance.now();
    const response = await (options.fetch ?? fetch)(urlOf(base, call.path), {
      method: call.method,
      headers: {
        Authorization: `Bearer ${secret}`,
        Accept: 'application/json, text/event-stream;q=0.9, */*;q=0.5',
        'X-Request-Id': requestId,
        ...(call.body && { 'Content-Type': 'application/json' }),
        ...(call.idempotencyKey !== undefined && { 'Idempotency-Key': call.idempotencyKey }),
      },
      ...(call.body && { body: JSON.stringify(call.body) }),
      redirect: 'manual',
      signal,
    });
    const { status, headers } = response;
    options.onAnswer?.({ call: nameOf(call), status, headers, durationMs: performance.now() - startedMs });
    return response;
  }

  /** An answer that does not end: one attempt, and no limit of its time but the signal once its head is there. */
  async function openStream(call: Call): Promise<Response> {
    const requestId = randomUUID();
    const head = new AbortController();
    const timer = setTimeout(() => head.abort(), attemptTimeoutMs);
    const signal = call.signal ? AbortSignal.any([call.signal, head.signal]) : head.signal;
    const response = await open(call, requestId, signal)
      .catch((error: unknown) => {
        call.signal?.throwIfAborted();
        const code = head.signal.aborted ? 'timed_out' : 'unreachable';
        const detail = head.signal.aborted ? 'No answer in time.' : reasonOf(error);
        throw new DiqError({ code, detail, httpRequestId: requestId, call: nameOf(call), cause: error });
      })
      .finally(() => clearTimeout(timer));
    if (response.ok) return response;
    throw problemOf(response, (await readBounded(response, maxAnswerBytes)) ?? '', requestId, call);
  }

  return { send, openStream, callTimeoutMs };
}

/** @throws the reason of the signal */
export async function pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(waitMs, undefined, signal && { signal }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}

function baseOf(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined;
  const isPlain = url && !url.username && !url.password && !url.search && !url.hash;
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    throw new RangeError('the URL of the service must be http or https, without user, query and fragment');
  }
  return url;
}

/** Always of the configured origin: links of answers are paths, and a path cannot lead elsewhere. */
function urlOf(base: URL, path: string): URL {
  const folder = base.pathname;
  return new URL(base.origin + (folder.endsWith('/') ? folder.slice(0, -1) : folder) + path);
}

/** Without the query, in which names of machines and sources may stand. */
function nameOf({ method, path }: Pick<Call, 'method' | 'path'>): string {
  return `${method} ${path.split('?')[0]}`;
}

function headOf({ status, headers }: Response) {
  return { status, headers, retryAfterMs: parseRetryAfter(Object.fromEntries(headers)) };
}

function problemOf(response: Response, text: string, requestId: string, call: Call): DiqError {
  const { status, retryAfterMs } = headOf(response);
  const parsed = problem.safeParse(parseJson(text));
  const facts = { status, retryAfterMs, call: nameOf(call) };
  if (!parsed.success) {
    // A proxy in between has pages of its own for these.
    const isPassing = [408, 429, 502, 503, 504].includes(status);
    const code = isPassing ? `http_${status}` : ('unexpected_answer' satisfies ClientCode);
    const detail = `HTTP ${status}, without the problem document of this API.`;
    return new DiqError({ ...facts, code, detail, httpRequestId: requestId });
  }
  const { code, title, detail, errors, httpRequestId = requestId } = parsed.data;
  const sentence = detail ?? title ?? code;
  return new DiqError({ ...facts, code, detail: sentence, errors: errors ?? [], httpRequestId });
}

/** The code of the operating system or of TLS, where there is one: `fetch` alone says that it failed. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code =
    typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : undefined;
  return `The service cannot be reached${code ? `: ${code}` : ''}.`;
}
