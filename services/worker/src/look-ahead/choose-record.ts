import type { Machine } from '../defender/defender-reader.ts';

/** Which machine a name stands for: its id, or the records that leave it open, the newest first. */
export type Chosen =
  | { readonly kind: 'chosen'; readonly machineId: string }
  | { readonly kind: 'none' | 'several'; readonly candidates: readonly Machine[] };

/** An active machine reports about once a day. One that did not for so long is not the one that reports now. */
const reportsWithinMs = 48 * 3_600_000;

/**
 * Several records can have one name: a machine that was onboarded again leaves its old one behind. The newest active record
 * is the machine, if no other active one is as new; records that were merged into another count for nothing. Nothing is guessed. Pure.
 */
export function chooseRecord(records: readonly Machine[]): Chosen {
  const newestFirst = records.toSorted((one, other) => (other.lastSeenMs ?? 0) - (one.lastSeenMs ?? 0));
  const active = newestFirst.filter((one) => one.healthStatus === 'Active' && !one.isMerged);
  const [newest, next] = active;
  if (newest === undefined) return { kind: 'none', candidates: newestFirst };
  if (next === undefined) return { kind: 'chosen', machineId: newest.id };
  const isAlone =
    newest.lastSeenMs !== undefined &&
    next.lastSeenMs !== undefined &&
    newest.lastSeenMs - next.lastSeenMs > reportsWithinMs;
  return isAlone ? { kind: 'chosen', machineId: newest.id } : { kind: 'several', candidates: active };
}
