import { z } from 'zod';
import { blockedBy } from '@diq/contracts/blocked-by.ts';
import { placement } from '@diq/contracts/placement.ts';
import { priorities } from '@diq/contracts/priority.ts';
import type { AsideTask, OrderedTask } from '@diq/queue/scheduling/queue-order.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { countAhead } from '../estimates/calls-ahead.ts';
import { isoTime, startForecast, startNotBeforeMs } from '../estimates/forecast-start.ts';
import { describeBlock, type FirstOn } from './blocked-view.ts';
import { describePlacement, type PlacementRules } from './placement-view.ts';

const time = z.iso.datetime();

export const nextCall = z
  .strictObject({
    position: z.int().positive().describe('1 is next.'),
    machineId: z.string(),
    requestId: z.string().describe('The request that was first; others may share the call.'),
    createdAt: time.describe('When it was asked for first.'),
    expectedStartAt: time.optional(),
    startNotBefore: time
      .optional()
      .describe('While a hold of unknown length is on, or with `blockedBy`, in place of `expectedStartAt`.'),
    blockedBy: blockedBy.optional().describe('What it waits for beside a slot.'),
    placement,
  })
  .meta({ id: 'NextCall', description: 'A call that waits, and why it stands where it does.' });

export const blockedCall = z
  .strictObject({
    machineId: z.string(),
    requestId: z.string().describe('The request that was first; others may share the call.'),
    createdAt: time.describe('When it was asked for first.'),
    priority: z.enum(priorities),
    blockedBy,
  })
  .meta({
    id: 'BlockedCall',
    description: 'A call that waits and is put aside: it has no place in the order meanwhile.',
  });

/** Tasks that are put aside, as callers get them. */
export async function describeBlockedCalls(
  tasks: readonly AsideTask[],
  firstOn: FirstOn,
): Promise<z.output<typeof blockedCall>[]> {
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
): z.output<typeof nextCall>[] {
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
