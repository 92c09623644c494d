import type { HoldDetails, HoldReason, Ledger } from '@diq/quota/ledger/ledger.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { holdLengths } from './suspension-policy.ts';

/** Nobody calls for so long; where that is `undefined`, longer with each hold for this reason in a row. */
export type SetHold = (
  reason: Exclude<HoldReason, 'paused'>,
  forMs: number | undefined,
  details?: HoldDetails,
) => Promise<void>;

export function createSetHold(ledger: Ledger, windowMs: number, logger: Logger): SetHold {
  const lengths = holdLengths(windowMs);
  return async (reason, forMs, said = {}) => {
    const details = { ...said, code: codeOrNothing(said.code) };
    const { untilMs, nowMs } =
      forMs === undefined
        ? await ledger.holdGrowing(reason, lengths[reason], details)
        : await ledger.hold(reason, forMs, details);
    logger.warn(
      { reason, until: new Date(untilMs).toISOString(), forMs: untilMs - nowMs, ...details },
      'nobody calls for now',
    );
  };
}

/** Codes are words; whatever else a server writes there is told to nobody. */
function codeOrNothing(code: string | undefined): string | undefined {
  return code !== undefined && /^[\w.-]{1,64}$/.test(code) ? code : undefined;
}
