import type { AcknowledgedRequest } from './load.ts';

/** What a replica lacked when it took its primary's place. Times by the wall clock. */
export interface Lag {
  /** All that was acknowledged before this had reached the replica. */
  readonly fromMs: number;
  /** When the primary had ended: nothing was acknowledged by it after this. */
  readonly toMs: number;
  /** The requests that the replica had. They are no less safe than others. */
  readonly kept: ReadonlySet<string>;
}

/**
 * Whether a request went with its primary: a documented loss. It was acknowledged while the replica was held back, and
 * the replica did not have it. Nothing else excuses one that is missing.
 */
export function isLostInLag(
  { id, postedAtMs, acknowledgedAtMs }: AcknowledgedRequest,
  lags: readonly Lag[],
): boolean {
  return lags.some(
    ({ fromMs, toMs, kept }) => acknowledgedAtMs >= fromMs && postedAtMs <= toMs && !kept.has(id),
  );
}
