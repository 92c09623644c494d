import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { Aside, PlacedRequest } from '@diq/queue/requests/stored-request.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { describeBlock, type FirstOn } from './blocked-view.ts';
import { forecastStartMs, isoTime, startNotBeforeMs } from '../estimates/forecast-start.ts';

/** A request as callers get it, and in how long its call is expected; `undefined` where that is unknown or none will come. */
export interface DescribedRequest {
  document: RequestDocument;
  startsInMs: number | undefined;
}

type Placed = Pick<PlacedRequest, 'document' | 'position' | 'aside'>;

export type DescribeRequest = ReturnType<typeof createDescribeRequest>;

/**
 * Adds to a request that is queued its place in the order and the expected time of its call, or why its call waits for something
 * else than a slot.
 */
export function createDescribeRequest(ledgerSnapshot: () => Promise<LedgerSnapshot>, firstOn: FirstOn) {
  async function firstOf(aside: Aside | undefined, machineId: string | undefined) {
    if (aside?.reason !== 'machine_busy' || machineId === undefined) return undefined;
    return (await firstOn([machineId]))[0];
  }

  return async ({ document, position, aside }: Placed): Promise<DescribedRequest> => {
    if (document.status !== 'queued' || (position === undefined && aside === undefined))
      return { document, startsInMs: undefined };
    const [view, first] = await Promise.all([ledgerSnapshot(), firstOf(aside, document.machineId)]);
    const blockedBy = describeBlock(aside, view, first);
    const arrivedAtMs = Date.parse(document.createdAt);
    // What is put aside can come back at any time, and may be the next one then.
    const forecastMs = forecastStartMs(view, aside === undefined ? (position ?? 1) : 1);
    const startAtMs = aside === undefined ? notBefore(arrivedAtMs, forecastMs) : undefined;
    const boundMs = notBefore(arrivedAtMs, startNotBeforeMs(view) ?? (aside && forecastMs));
    const knownMs = startAtMs ?? boundMs;
    return {
      document: {
        ...document,
        ...(position !== undefined && { position }),
        ...(blockedBy !== undefined && { blockedBy }),
        ...timeAs('expectedStartAt', startAtMs),
        ...timeAs('startNotBefore', boundMs),
      },
      startsInMs: knownMs === undefined ? undefined : knownMs - view.nowMs,
    };
  };
}

function timeAs(name: 'expectedStartAt' | 'startNotBefore', timeMs: number | undefined) {
  const time = isoTime(timeMs);
  return time === undefined ? {} : { [name]: time };
}

/** Arrival is a time of the clock of the intake that took it, which may be a little ahead of Redis'. */
function notBefore(arrivedAtMs: number, startAtMs: number | undefined): number | undefined {
  return startAtMs === undefined ? undefined : Math.max(startAtMs, arrivedAtMs);
}
