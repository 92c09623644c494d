import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { DryRunItem } from '@diq/contracts/item-answer.ts';
import type { DeadlineWarning } from '@diq/contracts/request-document.ts';
import { tooManyJoined } from '@diq/queue/admission/accept-requests.ts';
import type { Place } from '@diq/queue/admission/dry-run.ts';
import { isoTime } from '../estimates/iso-time.ts';
import type { StartMsAt } from '../estimates/deadline-check.ts';

export interface ItemOutlook {
  place: Place | undefined;
  warning: DeadlineWarning | undefined;
  startMsAt: StartMsAt;
}

/** What would become of one item that is not refused. */
export function describeItem(
  { machineId, priority }: InvestigationItem,
  index: number,
  { place, warning, startMsAt }: ItemOutlook,
): DryRunItem {
  const position = place?.position;
  const startMs = position === undefined ? undefined : startMsAt(position, priority);
  const expectedStartAt = startMs === undefined ? undefined : isoTime(startMs);
  const expected = {
    ...(position === undefined ? {} : { position }),
    ...(expectedStartAt === undefined ? {} : { expectedStartAt }),
    ...(warning === undefined ? {} : { warning }),
  };
  if (place?.kind === 'full') return { index, machineId, status: 'rejected', error: tooManyJoined };
  if (place?.kind === 'reused') {
    const { with: coalescedWith, investigationId } = place;
    return { index, machineId, status: 'coalesced', coalescedWith, investigationId };
  }
  if (place?.kind !== 'joins') return { index, machineId, status: 'accepted', ...expected };
  return 'index' in place.joins
    ? { index, machineId, status: 'coalesced', coalescedWithIndex: place.joins.index, ...expected }
    : { index, machineId, status: 'coalesced', coalescedWith: place.joins.first, ...expected };
}
