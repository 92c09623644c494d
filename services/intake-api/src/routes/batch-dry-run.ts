import { describeItem } from '../views/dry-run-view.ts';
import type { BatchDryRun, DryRunItem } from '@diq/contracts/item-answer.ts';
import { isoTime } from '../estimates/iso-time.ts';
import type { DoorOutcomes } from '../observability/metrics.ts';
import type { Judged, StartMsAt } from '../estimates/deadline-check.ts';
import { isRefused } from '../submission/item-refusal.ts';

/** What a batch would be answered and when its calls would start, by the places that its items would get. */
export function dryRunAnswer(
  { entries, places, warnings }: Judged,
  startMsAt: StartMsAt,
  withoutFault: number,
): BatchDryRun {
  const items = entries.map((entry, index): DryRunItem => {
    if (isRefused(entry)) return { ...entry.rejected, status: 'rejected' };
    return describeItem(entry, index, { place: places.get(index), warning: warnings.get(index), startMsAt });
  });
  const counts: DoorOutcomes = { accepted: 0, coalesced: 0, rejected: 0 };
  for (const { status } of items) counts[status] += 1;
  const completionMs = completesAtMs(entries, places, startMsAt);
  return {
    dryRun: true,
    counts,
    ...(withoutFault > 0 ? { refusalsWithoutFault: withoutFault } : {}),
    items,
    expectedCompletionAt: completionMs === undefined ? null : (isoTime(completionMs) ?? null),
  };
}

/** When the last of them starts; `undefined` while nobody can say of one. */
function completesAtMs(
  entries: Judged['entries'],
  places: Judged['places'],
  startMsAt: StartMsAt,
): number | undefined {
  const startsMs = entries.flatMap((entry, index) => {
    const position = places.get(index)?.position;
    return isRefused(entry) || position === undefined ? [] : [startMsAt(position, entry.priority)];
  });
  // All joined calls that are under way, or share what was started before.
  if (startsMs.length === 0) return startMsAt(1, 'critical');
  return startsMs.reduce((last, ms) =>
    last === undefined || ms === undefined ? undefined : Math.max(last, ms),
  );
}
