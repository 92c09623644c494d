import type { BlockedCall, NextCall } from '@diq/contracts/queue-order.ts';
import type { AsideTask, OrderedTask } from '@diq/queue/scheduling/queue-order.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { countAhead } from '../estimates/calls-ahead.ts';
import { isoTime, startForecast, startNotBeforeMs } from '../estimates/forecast-start.ts';
import { describeBlock, type FirstOn } from './blocked-view.ts';
import { describePlacement, type PlacementRules } from './placement-view.ts';

/** Tasks that are put aside, as callers get them. */
export async function describeBlockedCalls(
  tasks: readonly AsideTask[],
  firstOn: FirstOn,
): Promise<BlockedCall[]> {
  const busy = tasks.filter(({ aside }) => aside.reason === 'machine_busy');
  const first = await firstOn(busy.map(({ machineId }) => machineId));
  return tasks.flatMap((task) => {
    const { machineId, place, aside } = task;
    const because = describeBlock(aside, {}, first[busy.indexOf(task)]);
    if (because === undefined) return [];
    const { first: requestId, createdAtMs, priority } = place;
    return [
      { machineId, requestId, createdAt: new Date(createdAtMs).toISOString(), priority, blockedBy: because },
    ];
  });
}

/** Tasks in their order from the first on, as callers get them. */
export function describeNextCalls(
  tasks: readonly OrderedTask[],
  view: LedgerSnapshot,
  rules: PlacementRules,
): NextCall[] {
  const forecast = startForecast(view);
  const notBefore = isoTime(startNotBeforeMs(view));
  const because = describeBlock(undefined, view);
  const counted = tasks.map(({ place: { priority }, source }) => ({ priority, source }));
  return tasks.map(({ machineId, place, source, caller }, i) => {
    const startAt = isoTime(forecast(i + 1));
    return {
      position: i + 1,
      machineId,
      requestId: place.first,
      createdAt: new Date(place.createdAtMs).toISOString(),
      ...(startAt === undefined ? {} : { expectedStartAt: startAt }),
      ...(notBefore === undefined ? {} : { startNotBefore: notBefore }),
      ...(because === undefined ? {} : { blockedBy: because }),
      placement: describePlacement({ place, source, caller, ahead: countAhead(counted, i + 1) }, rules),
    };
  });
}
