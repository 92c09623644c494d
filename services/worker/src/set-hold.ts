import type { HoldReason, Ledger } from '@diq/quota/ledger.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import { holdLengths } from './hold-lengths.ts';

/** Nobody calls for so long; where that is `undefined`, longer with each hold for this reason in a row. */
export type SetHold = (reason: Exclude<HoldReason, 'paused'>, forMs: number | undefined) => Promise<void>;

export function createSetHold(ledger: Ledger, windowMs: number, logger: Logger): SetHold {
  const lengths = holdLengths(windowMs);
  return async (reason, forMs) => {
    const { untilMs, nowMs } =
      forMs === undefined
        ? await ledger.holdGrowing(reason, lengths[reason])
        : await ledger.hold(reason, forMs);
    logger.warn(
      { reason, until: new Date(untilMs).toISOString(), forMs: untilMs - nowMs },
      'nobody calls for now',
    );
  };
}
