import type { holdReasons } from '@diq/contracts/hold-reasons.ts';

/** What the ledger records of a call that may have reached Defender. */
export interface Answer {
  /** `throttled` lowers one limit for its window to the calls that fitted. */
  outcome: string;
  /** Facts worth keeping with the call: investigation id, HTTP status. Never a token. */
  facts: Record<string, string | number>;
  /** The task may be called again. Without this, the call stands for its task for as long as it is remembered. */
  mayRepeat?: boolean;
  /** What the answer shows of the path that all calls take: it works, it is in doubt, or this call was refused. */
  shows?: 'good' | 'unresolved' | RefusalRule;
  /** In place of `facts` where a refusal turns out to be the request's own; no other call may follow then. */
  factsIfOwn?: Answer['facts'];
  /** The quota that Defender states in a 429. The limit of that window is lowered. */
  statedQuota?: StatedQuota;
  /** For how long a 429 asks to wait. Where it states no quota, the shortest window that is as long is taken for full. */
  retryAfterMs?: number;
}

/** So many calls in any window of this length. */
export interface StatedQuota {
  calls: number;
  windowMs: number;
}

/**
 * Whose calls a 429 follows; label values of `diq_defender_throttled_total{cause}`. `external`: our own calls within
 * Defender's window cannot explain it. `own`: they alone do. `unclear`: both can be.
 */
export const throttleCauses = ['own', 'external', 'unclear'] as const;

export type ThrottleCause = (typeof throttleCauses)[number];

/** When a refusal is the fault of the request and not of the path that all calls take; see lua/lib/judge-refusal.lua. */
export interface RefusalRule {
  sort: 'refused' | 'throttled';
  count: number;
  calls: number;
  proof: number;
  asideFrom: number;
  asideFor: number;
}

/** Whose fault a refusal is. `own`: this request's. `shared`: that of all calls. `aside`: of all as far as is known; other tasks go first. */
export type Verdict = 'own' | 'shared' | 'aside';

/** Facts that are recorded with a hold. Never free text. */
export interface HoldDetails {
  httpStatus?: number | undefined;
  /** Defender's `error.code`, or the code for a missing token. */
  code?: string | undefined;
  /** Of a 429. */
  throttleCause?: ThrottleCause | undefined;
  /** The window that a 429 is counted against. */
  windowMs?: number | undefined;
}

/** Why the calls of the last window cannot be read from Defender. */
export interface RebuildFailure extends HoldDetails {
  /** The hold that calls would meet. */
  cause: 'throttled' | 'not_allowed' | 'no_token' | 'endpoint_unusable' | 'unreachable' | 'failing';
}

/** What the ledger has recorded of a call that is over. */
export interface Recorded {
  /** From when the call counts in each window. All times are milliseconds of Redis' clock. */
  countsFromMs: number;
  /** In the longest window, and with that in all of them. */
  freeAtMs: number;
  spentAtMs: number;
  mayRepeat: boolean;
  /** On a refusal; `shared` for all else. */
  verdict: Verdict;
  /** Of a 429 only: whose calls it follows, and the window that it is counted against. */
  cause?: ThrottleCause | undefined;
  throttledInMs?: number | undefined;
}

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
