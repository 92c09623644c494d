import { z } from 'zod';
import { placement } from '@diq/contracts/placement.ts';
import type { OrderedTask } from '@diq/queue/scheduling/queue-order.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { countAhead } from '../estimates/calls-ahead.ts';
import { isoTime, startForecast, startNotBeforeMs } from '../estimates/forecast-start.ts';
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
      .describe('While a hold of unknown length is on, in place of `expectedStartAt`.'),
    placement,
  })
  .meta({ id: 'NextCall', description: 'A call that waits, and why it stands where it does.' });

/** Tasks in their order from the first on, as callers get them. */
export function describeNextCalls(
  tasks: readonly OrderedTask[],
  view: LedgerSnapshot,
  rules: PlacementRules,
): z.output<typeof nextCall>[] {
  const forecast = startForecast(view);
  const notBefore = isoTime(startNotBeforeMs(view));
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
      placement: describePlacement({ place, source, caller, ahead: countAhead(counted, i + 1) }, rules),
    };
  });
}
