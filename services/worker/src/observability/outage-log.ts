import type { Logger } from '@diq/runtime/logging/logger.ts';

export type OutageLog = ReturnType<typeof createOutageLog>;

/** Without a success that is noted, an outage is over when nothing has failed for this long. */
const calmMs = 60_000;
/** Different messages logged for one outage. */
const mostMessages = 5;

/**
 * The log of a periodic action that may fail for hours: logs an outage when it begins and when it is over, instead of each failure in between; a failure with another
 * message is logged once, so that a second cause is visible too.
 */
export function createOutageLog(
  logger: Pick<Logger, 'warn' | 'info'>,
  what: string,
  nowMs: () => number = () => performance.now(),
) {
  const logged = new Set<string>();
  let failures = 0;
  let beganAtMs = 0;
  let lastAtMs = 0;

  function begin() {
    logged.clear();
    failures = 0;
    beganAtMs = nowMs();
  }

  const log = {
    failed(error: unknown) {
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
