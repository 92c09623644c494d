import type { DeliveryRecord } from '@diq/queue/requests/stored-callback.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TakeSlot } from './attempt-slots.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import { nameOfTarget, type CallbackTarget } from './callback-queue.ts';
import type { CallbackRule } from './callback-rule.ts';
import type { CallbackNews, CallbackStore } from './callback-store.ts';
import type { PostCallback, PostOutcome } from './post-callback.ts';
import { nextDelayMs, type RetrySchedule } from './retry-schedule.ts';
import type { SignCallback } from './sign-callback.ts';

/** A callback that is due. */
interface DueCallback {
  target: CallbackTarget;
  /** Since when. */
  dueAtMs: number;
  /** Gives the attempt up, which then counts for nothing. */
  signal: AbortSignal;
}

/** What comes next: nothing any more, or another look after a while. */
type DeliveryStep = { kind: 'done' } | { kind: 'later'; delayMs: number };

export type DeliverCallback = ReturnType<typeof createDeliverCallback>;

interface DeliverCallbackDeps {
  store: CallbackStore;
  rule: CallbackRule;
  sign: SignCallback;
  post: PostCallback;
  schedule: RetrySchedule;
  metrics: CallbackMetrics;
  logger: Logger;
  /** Attempts that this process makes at the same time: a slow host must not take all hands. */
  takeSlot: TakeSlot;
  /** How soon a callback looks again that has none. */
  busyMs: number;
}

type Made = Exclude<PostOutcome, { kind: 'given-up' }> | { kind: 'no-answer'; error: 'not_allowed' };

export function createDeliverCallback(deps: DeliverCallbackDeps) {
  const { store, rule, schedule } = deps;

  async function attempt(news: CallbackNews, { target, dueAtMs, signal }: DueCallback): Promise<PostOutcome> {
    const url = new URL(news.url);
    const body = JSON.stringify({
      type: news.type,
      timestamp: new Date(dueAtMs).toISOString(),
      data: news.data,
    });
    // It stays the same over retries and crashes, and is another one for other news of the same request.
    const id = `${nameOfTarget(target)}-${news.about}`;
    const headers = deps.sign(url, { id, atMs: Date.now(), body });
    return await deps.post({ url, headers, body, signal });
  }

  /** The attempt, once it is its turn; else how long to wait. */
  async function attemptInTurn(
    news: CallbackNews,
    due: DueCallback,
  ): Promise<PostOutcome | { turnInMs: number }> {
    const { host } = new URL(news.url);
    // Taken before it waits for Redis, or all that are begun together would find it free.
    const release = deps.takeSlot(host, news.caller);
    let isAnswered: boolean | undefined;
    try {
      const busyMs = release ? 0 : deps.busyMs;
      const turnInMs = await store.takeTurn(host, nameOfTarget(due.target), busyMs, news.caller);
      if (turnInMs > 0) return { turnInMs };
      const outcome = await attempt(news, due);
      if (outcome.kind !== 'given-up') isAnswered = outcome.kind === 'answered';
      return outcome;
    } finally {
      release?.(isAnswered);
    }
  }

  async function settle(news: CallbackNews, { target }: DueCallback, made: Made): Promise<DeliveryStep> {
    const { delivery, delayMs } = judge(news, made, schedule);
    await store.record(target, delivery);
    report(deps, { target, news, made, delivery });
    return delayMs === undefined ? { kind: 'done' } : { kind: 'later', delayMs };
  }

  /** Makes at most one attempt and stores what became of it. Rejects when Redis cannot be asked. */
  return async (due: DueCallback): Promise<DeliveryStep> => {
    const news = await store.findNews(due.target);
    const isFinal = news?.delivery !== undefined && news.delivery.state !== 'retrying';
    if (!news || isFinal) return { kind: 'done' };
    if (rule(news.url) !== undefined) return settle(news, due, { kind: 'no-answer', error: 'not_allowed' });

    const outcome = await attemptInTurn(news, due);
    if ('turnInMs' in outcome) return { kind: 'later', delayMs: outcome.turnInMs };
    return outcome.kind === 'given-up' ? { kind: 'later', delayMs: 0 } : settle(news, due, outcome);
  };
}

/** What is stored of an attempt, and after how long there is another one. */
function judge(
  { about, delivery: before }: CallbackNews,
  made: Made,
  schedule: RetrySchedule,
): { delivery: DeliveryRecord; delayMs: number | undefined } {
  const nowMs = Date.now();
  const firstAttemptAtMs = before?.firstAttemptAtMs ?? nowMs;
  const attempts = (before?.attempts ?? 0) + 1;
  const { status, retryAfterMs } =
    made.kind === 'answered' ? made : { status: undefined, retryAfterMs: undefined };
  const isDelivered = status !== undefined && status >= 200 && status < 300;
  const failed = { attempts, elapsedMs: nowMs - firstAttemptAtMs, retryAfterMs };
  const delayMs = isDelivered || status === 410 ? undefined : nextDelayMs(schedule, failed, Math.random);
  const final = isDelivered ? 'delivered' : status === 410 ? 'gone' : 'failed';
  const delivery: DeliveryRecord = {
    about,
    state: delayMs === undefined ? final : 'retrying',
    attempts,
    firstAttemptAtMs,
    lastAttemptAtMs: nowMs,
    ...(made.kind === 'answered' ? { lastStatus: made.status } : { lastError: made.error }),
  };
  return { delivery, delayMs };
}

/** Of the URL only the host is logged: path and query may hold secrets of the receiver. */
function report(
  { metrics, logger }: DeliverCallbackDeps,
  about: { target: CallbackTarget; news: CallbackNews; made: Made; delivery: DeliveryRecord },
): void {
  const { target, news, made, delivery } = about;
  const { state, attempts } = delivery;
  const isRefused = made.kind === 'no-answer' && made.error.endsWith('not_allowed');
  metrics.countAttempt(state !== 'retrying' ? state : isRefused ? 'refused' : 'retried');
  const came = made.kind === 'answered' ? { status: made.status } : { error: made.error };
  const line = { callback: nameOfTarget(target), host: new URL(news.url).host, state, attempts, ...came };
  if (state === 'delivered') logger.info(line, 'callback delivered');
  else logger.warn(line, 'callback not delivered');
}
