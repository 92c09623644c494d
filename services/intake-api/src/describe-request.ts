import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { StoredRequest } from '@diq/queue/stored-request.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';
import type { LedgerView } from '@diq/quota/ledger-replies.ts';
import { forecastStartMs } from './forecast-start.ts';
import { isoTime } from './iso-time.ts';

/** A request as it is told, and in how long its call is expected; `undefined` where nobody can say or none will come. */
export interface DescribedRequest {
  document: RequestDocument;
  startsInMs: number | undefined;
}

export type DescribeRequest = (stored: StoredRequest) => Promise<DescribedRequest>;

interface DescribeRequestDeps {
  tickets: Pick<TicketQueue, 'positions' | 'have'>;
  lookAtLedger: () => Promise<LedgerView>;
}

/** Adds its place in the order and the expected time of its call to a request that is queued. */
export function createDescribeRequest({ tickets, lookAtLedger }: DescribeRequestDeps): DescribeRequest {
  async function placeOf(dispatchId: string): Promise<number | undefined> {
    const [position] = await tickets.positions([dispatchId]);
    if (position !== undefined) return position;
    // A ticket in a worker's hand has left the order and is next. One that is missing will be restored by a worker,
    // and until then has no place.
    const [isDrawn] = await tickets.have([dispatchId]);
    return isDrawn ? 1 : undefined;
  }

  return async ({ document, dispatchId }) => {
    if (document.status !== 'queued') return { document, startsInMs: undefined };
    const [position, view] = await Promise.all([placeOf(dispatchId), lookAtLedger()]);
    if (position === undefined) return { document, startsInMs: undefined };
    const startAtMs = notBefore(Date.parse(document.createdAt), forecastStartMs(view, position));
    const expectedStartAt = startAtMs === undefined ? undefined : isoTime(startAtMs);
    return {
      document: { ...document, position, ...(expectedStartAt === undefined ? {} : { expectedStartAt }) },
      startsInMs: startAtMs === undefined ? undefined : startAtMs - view.nowMs,
    };
  };
}

/** Arrival is told by the clock of the intake that took it, which may be a little ahead of Redis'. */
function notBefore(arrivedAtMs: number, startAtMs: number | undefined): number | undefined {
  return startAtMs === undefined ? undefined : Math.max(startAtMs, arrivedAtMs);
}
