import type { HoldGrowth, HoldReason } from '@diq/quota/ledger/answers-and-holds.ts';
import type { HoldDetails, Ledger } from '@diq/quota/ledger/ledger.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';

const secondMs = 1_000;
const minuteMs = 60 * secondMs;

/**
 * How long a hold lasts when Defender asked for no time: the first one, and the longest that doubling leads to.
 * A probe that reaches Defender costs a permit, so those holds are measured in windows; one that never leaves costs
 * nothing, so those are short.
 */
export function holdLengths(windowMs: number): Readonly<Record<Exclude<HoldReason, 'paused'>, HoldGrowth>> {
  return {
    throttled: { firstMs: windowMs / 60, longestMs: windowMs },
    not_allowed: { firstMs: windowMs / 60, longestMs: windowMs / 4 },
    endpoint_unusable: { firstMs: windowMs / 60, longestMs: windowMs / 4 },
    disabled: { firstMs: windowMs / 60, longestMs: windowMs },
    retired: { firstMs: windowMs / 60, longestMs: windowMs },
    failing: { firstMs: windowMs / 60, longestMs: windowMs / 4 },
    unreachable: { firstMs: secondMs, longestMs: minuteMs },
    no_token: { firstMs: secondMs, longestMs: 5 * minuteMs },
  };
}

export type SetHold = ReturnType<typeof createSetHold>;

export function createSetHold(ledger: Ledger, windowMs: number, logger: Logger) {
  const lengths = holdLengths(windowMs);
  /** Puts the queue on hold for `forMs`; where that is `undefined`, longer with each hold for this reason in a row. */
  return async (
    reason: Exclude<HoldReason, 'paused'>,
    forMs: number | undefined,
    said: HoldDetails = {},
  ): Promise<void> => {
    const details = { ...said, code: codeOrNothing(said.code) };
    const { untilMs, nowMs } =
      forMs === undefined
        ? await ledger.holdGrowing(reason, lengths[reason], details)
        : await ledger.hold(reason, forMs, details);
    logger.warn(
      { reason, until: new Date(untilMs).toISOString(), forMs: untilMs - nowMs, ...details },
      'queue on hold',
    );
  };
}

/** Codes are words; any other text that a server writes there is dropped. */
function codeOrNothing(code: string | undefined): string | undefined {
  return code !== undefined && /^[\w.-]{1,64}$/.test(code) ? code : undefined;
}
