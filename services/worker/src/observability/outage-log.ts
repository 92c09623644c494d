import type { Logger } from '@diq/runtime/logging/logger.ts';

/** The log of a periodic action that may fail for hours. */
export interface OutageLog {
  failed(error: unknown): void;
  /** Without it, an outage is over when nothing has failed for a minute. */
  worked(): void;
  /** `act`, whose successes are noted. Its failures are thrown on to the caller. */
  watched<T>(act: () => Promise<T>): () => Promise<T>;
}

const calmMs = 60_000;
/** Different messages logged for one outage. */
const mostMessages = 5;

/**
 * Logs an outage when it begins and when it is over, instead of each failure in between; a failure with another
 * message is logged once, so that a second cause is visible too.
 */
export function createOutageLog(
  logger: Pick<Logger, 'warn' | 'info'>,
  what: string,
  nowMs: () => number = () => performance.now(),
): OutageLog {
  const logged = new Set<string>();
  let failures = 0;
  let beganAtMs = 0;
  let lastAtMs = 0;

  function begin() {
    logged.clear();
    failures = 0;
    beganAtMs = nowMs();
  }

  const log: OutageLog = {
    failed(error) {
      if (failures === 0 || nowMs() - lastAtMs > calmMs) begin();
      failures += 1;
      lastAtMs = nowMs();
      const message = error instanceof Error ? error.message : String(error);
      if (logged.has(message) || logged.size >= mostMessages) return;
      logged.add(message);
      logger.warn({ err: error, failures }, `${what} failed; its recovery will be logged`);
    },
    worked() {
      if (failures === 0) return;
      logger.info({ failures, outageMs: Math.round(nowMs() - beganAtMs) }, `${what} works again`);
      failures = 0;
    },
    watched: (act) => async () => {
      const result = await act();
      log.worked();
      return result;
    },
  };
  return log;
}
