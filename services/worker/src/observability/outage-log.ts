import { describeRedisTrouble, isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';

/** Without a success that is noted, an outage is over when nothing has failed for this long. */
const calmMs = 60_000;
/** Different messages logged for one outage. */
const mostMessages = 5;

/** The one that is under way; a service of many queues has thousands of logs, and mostly none of it. */
interface Outage {
  readonly beganAtMs: number;
  lastAtMs: number;
  failures: number;
  readonly logged: Set<string>;
}

const sinceStartMs = () => performance.now();

/**
 * The log of a periodic action that may fail for hours: logs an outage when it begins and when it is over, instead of each failure in between; a failure with another
 * message is logged once, so that a second cause is visible too.
 */
export function createOutageLog(
  logger: Pick<Logger, 'warn' | 'info'>,
  what: string,
  nowMs: () => number = sinceStartMs,
): OutageLog {
  return new OutageLog(logger, what, nowMs);
}

/** With methods that all share, and not with functions of its own: each queue has twenty. */
export class OutageLog {
  readonly #logger: Pick<Logger, 'warn' | 'info'>;
  readonly #what: string;
  readonly #nowMs: () => number;
  #outage: Outage | undefined;

  constructor(logger: Pick<Logger, 'warn' | 'info'>, what: string, nowMs: () => number) {
    this.#logger = logger;
    this.#what = what;
    this.#nowMs = nowMs;
  }

  failed(error: unknown): void {
    const atMs = this.#nowMs();
    if (!this.#outage || atMs - this.#outage.lastAtMs > calmMs)
      this.#outage = { beganAtMs: atMs, lastAtMs: atMs, failures: 0, logged: new Set() };
    this.#outage.failures += 1;
    this.#outage.lastAtMs = atMs;
    const { failures, logged } = this.#outage;
    const message = error instanceof Error ? error.message : String(error);
    if (logged.has(message) || logged.size >= mostMessages) return;
    logged.add(message);
    const refusal = isRedisTrouble(error) &&
      error.name === 'ReplyError' && { redis: describeRedisTrouble(error) };
    this.#logger.warn(
      { err: error, failures, ...refusal },
      `${this.#what} failed; its recovery will be logged`,
    );
  }

  worked(): void {
    if (!this.#outage) return;
    const { failures, beganAtMs } = this.#outage;
    this.#outage = undefined;
    this.#logger.info(
      { failures, outageMs: Math.round(this.#nowMs() - beganAtMs) },
      `${this.#what} works again`,
    );
  }

  /** `act`, whose successes are noted. Its failures are thrown on to the caller. */
  watched<T>(act: () => Promise<T>): () => Promise<T> {
    return async () => {
      const result = await act();
      this.worked();
      return result;
    };
  }
}
