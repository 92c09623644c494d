import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { namingOf } from '@diq/contracts/machine-name.ts';
import type { BatchDryRun, DryRunItem } from '@diq/contracts/item-answer.ts';
import { fieldsOf } from '@diq/contracts/operations/result-fields.ts';
import { tooManyJoined } from '@diq/queue/admission/accept-requests.ts';
import { isoTime } from '../estimates/forecast-start.ts';
import type { Judged, StartMsAt } from './deadline-check.ts';
import { isRefused } from './item-refusal.ts';

/** What a batch would be answered and when its calls would start, by the places that its items would get. */
export function dryRunAnswer(judged: Judged, startMsAt: StartMsAt, withoutFault: number): BatchDryRun {
  const items = judged.entries.map((entry, index): DryRunItem => {
    if (isRefused(entry)) return { ...entry.rejected, status: 'rejected' };
    return describeItem(entry, index, judged, startMsAt);
  });
  return {
    dryRun: true,
    counts: countOutcomes(items),
    ...(withoutFault > 0 ? { refusalsWithoutFault: withoutFault } : {}),
    items,
    expectedCompletionAt: isoTime(completesAtMs(judged, startMsAt)) ?? null,
  };
}

/** How many items ended which way at the door. */
export function countOutcomes(items: readonly Pick<DryRunItem, 'status'>[]): BatchDryRun['counts'] {
  const counts = { accepted: 0, coalesced: 0, rejected: 0 };
  for (const { status } of items) counts[status] += 1;
  return counts;
}

/** When the last of them starts; `undefined` while that is unknown of one. */
function completesAtMs({ entries, places }: Judged, startMsAt: StartMsAt): number | undefined {
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

/** What would become of one item that is not refused. */
export function describeItem(
  item: InvestigationItem,
  index: number,
  { places, warnings }: Pick<Judged, 'places' | 'warnings'>,
  startMsAt: StartMsAt,
): DryRunItem {
  const naming = namingOf(item);
  const [place, warning] = [places.get(index), warnings.get(index)];
  const position = place?.position;
  const startMs = position === undefined ? undefined : startMsAt(position, item.priority);
  const expectedStartAt = isoTime(startMs);
  const expected = {
    ...(position === undefined ? {} : { position }),
    ...(expectedStartAt === undefined ? {} : { expectedStartAt }),
    ...(warning === undefined ? {} : { warning }),
  };
  if (place?.kind === 'full') return { index, ...naming, status: 'rejected', error: tooManyJoined };
  if (place?.kind === 'reused') {
    const { with: coalescedWith, result } = place;
    const { investigationId } = fieldsOf(result);
    const shared = { coalescedWith, ...(investigationId === undefined ? {} : { investigationId }), result };
    return { index, ...naming, status: 'coalesced', ...shared };
  }
  if (place?.kind !== 'joins') return { index, ...naming, status: 'accepted', ...expected };
  return 'index' in place.joins
    ? { index, ...naming, status: 'coalesced', coalescedWithIndex: place.joins.index, ...expected }
    : { index, ...naming, status: 'coalesced', coalescedWith: place.joins.first, ...expected };
}
