/** Why no calls are made for now. A closed list: it is a metric's label. */
export const holdReasons = [
  'throttled',
  'not_allowed',
  'no_token',
  'endpoint_unusable',
  'retired',
  'unreachable',
  'failing',
  'paused',
  'cold_start',
  'failover',
] as const;

/** Holds that opening a ledger sets and ends, if the ledger is empty or may be an older state of itself. */
const holdsOfOpening = ['cold_start', 'failover'] as const;

/** Reasons for which a hold can be set. */
export type HoldReason = Exclude<(typeof holdReasons)[number], (typeof holdsOfOpening)[number]>;

/** The first of several holds in a row, and the longest: each is twice as long as the one before. */
export interface HoldGrowth {
  firstMs: number;
  longestMs: number;
}

export function isSetByOpening(reason: string): boolean {
  return holdsOfOpening.some((one) => one === reason);
}
