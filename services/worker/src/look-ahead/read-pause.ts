import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Unreadable } from '../defender/defender-reader.ts';
import { createOutageLog } from '../observability/outage-log.ts';

/** What fails is tried again soon, and later each time. */
const firstMs = 5_000;
const longestMs = 60_000;
/** A role that the application lacks is not given within minutes. */
const notAllowedMs = 600_000;

/**
 * Whether one kind of thing can be read at the moment. What cannot be is left out for a while, so that no read is wasted on it;
 * calls go on without.
 */
export function createReadPause(
  logger: Pick<Logger, 'warn' | 'info'>,
  what: string,
  nowMs: () => number = () => performance.now(),
) {
  const outages = createOutageLog(logger, what);
  let failures = 0;
  let untilMs = 0;

  return {
    isOver: (): boolean => nowMs() >= untilMs,
    worked(): void {
      failures = 0;
      outages.worked();
    },
    /** `no_token` where none could be had to read with. */
    failed({
      reason,
      retryAfterMs,
      httpStatus,
    }: Omit<Unreadable, 'kind' | 'reason'> & { reason: string }): void {
      if (reason === 'closed') return;
      if (reason === 'paced') {
        untilMs = nowMs() + (retryAfterMs ?? firstMs);
        return;
      }
      const growing = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 10));
      failures += 1;
      untilMs = nowMs() + Math.max(retryAfterMs ?? 0, reason === 'not_allowed' ? notAllowedMs : growing);
      outages.failed(new Error(httpStatus === undefined ? reason : `${reason}, HTTP ${httpStatus}`));
    },
  };
}

export type ReadPause = ReturnType<typeof createReadPause>;
