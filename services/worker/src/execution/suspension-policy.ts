import type { HoldLength, HoldReason } from '@diq/quota/ledger/ledger.ts';

const secondMs = 1_000;
const minuteMs = 60 * secondMs;

/**
 * How long a hold lasts when nobody said how long: the first one, and the longest that doubling leads to.
 * A probe that reaches Defender costs a permit, so those holds are measured in windows; one that never leaves costs
 * nothing, so those are short.
 */
export function holdLengths(windowMs: number): Readonly<Record<Exclude<HoldReason, 'paused'>, HoldLength>> {
  return {
    throttled: { firstMs: windowMs / 60, longestMs: windowMs },
    not_allowed: { firstMs: windowMs / 60, longestMs: windowMs / 4 },
    endpoint_unusable: { firstMs: windowMs / 60, longestMs: windowMs / 4 },
    retired: { firstMs: windowMs / 60, longestMs: windowMs },
    failing: { firstMs: windowMs / 60, longestMs: windowMs / 4 },
    unreachable: { firstMs: secondMs, longestMs: minuteMs },
    no_token: { firstMs: secondMs, longestMs: 5 * minuteMs },
  };
}
