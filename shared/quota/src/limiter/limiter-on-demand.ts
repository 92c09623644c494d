import { createPermitLimiter, type PermitLimiter, type PermitLimiterOptions } from './permit-limiter.ts';

export type LimiterOnDemand = ReturnType<typeof createLimiterOnDemand>;

/** After this long without a question a limiter is closed, before its first heartbeat, which every worker that has it open would hear. */
const usualIdleMs = 3_000;

/**
 * The limiter of a queue, open only while calls are due. Its state stands in Redis, and so do the leases of permits that
 * are out: a limiter that is closed and opened again grants no more than one that stays open.
 *
 * @param options.idleMs how long after the last question it is closed, once no permit is in hand
 */
export function createLimiterOnDemand(options: PermitLimiterOptions & { idleMs?: number | undefined }) {
  const { idleMs = usualIdleMs, ...settings } = options;
  let opening: Promise<PermitLimiter> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function open(): Promise<PermitLimiter> {
    clearTimeout(timer);
    if (isClosed) return Promise.reject(new Error('the limiter is closed'));
    if (!opening) {
      const begun = createPermitLimiter(settings);
      opening = begun;
      // The next question tries again; this one is answered by the rejection.
      begun.catch(() => {
        if (opening === begun) opening = undefined;
      });
    }
    return opening;
  }

  function closeLater(limiter: PermitLimiter): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (limiter.inHand() > 0) return closeLater(limiter);
      // A timer that has rung holds on to what it closed.
      timer = undefined;
      opening = undefined;
      limiter.close();
    }, idleMs);
    timer.unref();
  }

  return {
    /** As that of the limiter. */
    async tryAcquire() {
      const limiter = await open();
      try {
        return await limiter.tryAcquire();
      } finally {
        if (!isClosed) closeLater(limiter);
      }
    },
    /** Opens the limiter, so that the next question is answered without that delay. */
    async prepare(): Promise<void> {
      closeLater(await open());
    },
    /** Permits that are out stay out until their lease is over. */
    async close() {
      isClosed = true;
      clearTimeout(timer);
      (await opening?.catch(() => undefined))?.close();
    },
  };
}
