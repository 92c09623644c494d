import { setTimeout as wait } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { ReadBudget } from '@diq/quota/reads/read-budget.ts';
import { parseRetryAfter } from '@diq/runtime/http-server/retry-after.ts';
import { readErrorDetails } from './read-error-details.ts';
import { readAnswer, type Answer, type BodyFault } from './read-answer.ts';
import { unreadable, type ReadFailure, type Reading } from './reading.ts';

/** Longest page taken in: an alert with its evidence has a few KiB. */
export const maxPageBytes = 16 * 1024 * 1024;

interface PageOptions {
  readonly budget: ReadBudget;
  readonly timeoutMs: number;
  readonly now?: () => number;
}

/** @param onWait waits for the budget of reads and is called before each wait; without it a refused read is `paced` */
export type GetPage = (
  path: string,
  token: string,
  onWait?: (forMs: number) => void,
) => Promise<Reading<Answer>>;

interface PageDependencies {
  agent: Dispatcher;
  origin: string;
  options: PageOptions;
  closing: AbortSignal;
}

/** One GET for each page, of which each takes a read of the budget before it is sent. */
export function createGetPage(deps: PageDependencies): GetPage {
  return async (path, token, onWait) => {
    const read = await takeRead(deps.options.budget, deps.closing, onWait);
    if (!read.granted) return { ...unreadable('paced'), retryAfterMs: read.retryAfterMs };
    const page = await getPage(deps, path, token);
    if (isAnswer(page)) void read.answered(refusalIn(page));
    return page;
  };
}

/** A read of the budget; where there is `onWait`, waited for. */
async function takeRead(budget: ReadBudget, closing: AbortSignal, onWait?: (forMs: number) => void) {
  for (;;) {
    const read = await budget.take();
    if (read.granted || !onWait || closing.aborted) return read;
    onWait(read.retryAfterMs);
    await wait(read.retryAfterMs, undefined, { signal: closing }).catch(() => undefined);
  }
}

/** Whether Defender answered at all. What it did not answer may reach it until it must have been given up. */
function isAnswer(page: Reading<Answer>): boolean {
  return page.kind !== 'unreadable' || !['timeout', 'connection', 'closed'].includes(page.reason);
}

function refusalIn(page: Reading<Answer>): { isThrottled: boolean; retryAfterMs?: number } {
  if (page.kind !== 'unreadable') return { isThrottled: false };
  const { reason, retryAfterMs } = page;
  return { isThrottled: reason === 'throttled', ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

async function getPage(
  { agent, origin, options, closing }: PageDependencies,
  path: string,
  token: string,
): Promise<Reading<Answer>> {
  if (closing.aborted) return unreadable('closed');
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    const response = await agent.request({
      origin,
      method: 'GET',
      path,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        'accept-encoding': 'identity',
        'user-agent': 'defender-investigation-queue',
      },
      // Reads are seldom: a connection kept for the next one would most often be found closed.
      reset: true,
      signal: AbortSignal.any([timeout, closing]),
    });
    const answer = await readAnswer(response, { secret: token, maxBytes: maxPageBytes });
    if (answer.body === undefined && timeout.aborted) return unreadable('timeout');
    return verdictOn(answer, (options.now ?? Date.now)());
  } catch {
    if (closing.aborted) return unreadable('closed');
    return unreadable(timeout.aborted ? 'timeout' : 'connection');
  }
}

function verdictOn(answer: Answer, nowMs: number): Reading<Answer> {
  const { status, headers } = answer;
  const retryAfterMs = parseRetryAfter(headers, nowMs);
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 200) {
    const { bodyFault } = answer;
    return bodyFault === undefined ? { kind: 'read', value: answer } : unreadable(failureOf[bodyFault]);
  }
  if (status === 404) {
    const { errorCode } = readErrorDetails(answer);
    return { kind: 'not_found', ...(errorCode !== undefined && { errorCode }) };
  }
  const met = { httpStatus: status };
  if (status === 401) return { ...unreadable('token_rejected'), ...met };
  if (status === 403 || status === 407) return { ...unreadable('not_allowed'), ...met };
  if (status === 429) return { ...unreadable('throttled'), ...met, ...later };
  if (status >= 500 || status === 408) return { ...unreadable('server_error'), ...met, ...later };
  return { ...unreadable('unexpected_answer'), ...met };
}

const failureOf = {
  cut_off: 'connection',
  too_long: 'too_long',
  unknown_coding: 'unknown_coding',
  not_json: 'unexpected_answer',
} as const satisfies Record<BodyFault, ReadFailure>;
