import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { PlacedRequest } from '@diq/queue/requests/stored-request.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { forecastStartMs, isoTime, startNotBeforeMs } from '../estimates/forecast-start.ts';

/** A request as callers get it, and in how long its call is expected; `undefined` where that is unknown or none will come. */
export interface DescribedRequest {
  document: RequestDocument;
  startsInMs: number | undefined;
}

type Placed = Pick<PlacedRequest, 'document' | 'position'>;

export type DescribeRequest = ReturnType<typeof createDescribeRequest>;

/** Adds its place in the order and the expected time of its call to a request that is queued. */
export function createDescribeRequest(ledgerSnapshot: () => Promise<LedgerSnapshot>) {
  return async ({ document, position }: Placed): Promise<DescribedRequest> => {
    if (document.status !== 'queued' || position === undefined) return { document, startsInMs: undefined };
    const view = await ledgerSnapshot();
    const arrivedAtMs = Date.parse(document.createdAt);
    const startAtMs = notBefore(arrivedAtMs, forecastStartMs(view, position));
    const boundMs = notBefore(arrivedAtMs, startNotBeforeMs(view));
    const knownMs = startAtMs ?? boundMs;
    return {
      document: {
        ...document,
        position,
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
