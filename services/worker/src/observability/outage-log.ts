import type { Logger } from '@diq/runtime/logging/logger.ts';

export type OutageLog = ReturnType<typeof createOutageLog>;

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
) {
  let outage: Outage | undefined;

  const log = {
    failed(error: unknown) {
      const atMs = nowMs();
      if (!outage || atMs - outage.lastAtMs > calmMs)
        outage = { beganAtMs: atMs, lastAtMs: atMs, failures: 0, logged: new Set() };
      outage.failures += 1;
      outage.lastAtMs = atMs;
      const { failures, logged } = outage;
      const message = error instanceof Error ? error.message : String(error);
      if (logged.has(message) || logged.size >= mostMessages) return;
      logged.add(message);
      logger.warn({ err: error, failures }, `${what} failed; its recovery will be logged`);
    },
    worked() {
      if (!outage) return;
      const { failures, beganAtMs } = outage;
      outage = undefined;
      logger.info({ failures, outageMs: Math.round(nowMs() - beganAtMs) }, `${what} works again`);
    },
    /** `act`, whose successes are noted. Its failures are thrown on to the caller. */
    watched:
      <T>(act: () => Promise<T>) =>
      async (): Promise<T> => {
        const result = await act();
        log.worked();
        return result;
      },
  };
  return log;
}
