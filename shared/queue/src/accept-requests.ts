import type { Redis } from 'ioredis';
import { uuidv7 } from 'uuidv7';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { orderRank } from './order.ts';
import { acceptChunk } from './accept-chunk.ts';
import type { NewRequest, Placement } from './accept-chunk.ts';
import { openBatch, sealBatch } from './batch-record.ts';
import type { TicketQueue } from './ticket-queue.ts';

/** An item of a bulk request that was refused; kept with the batch so that its items can be read back in input order. */
export interface RejectedItem {
  rejected: { index: number; machineId?: string; error: unknown };
}

export type BatchEntry = InvestigationItem | RejectedItem;

export interface AcceptedRequest {
  id: string;
  /** The request whose dispatch this one joined. */
  coalescedWith?: string;
}

export interface RequestIntake {
  /** Records one request. Resolves when Redis has acknowledged request, dispatch and ticket. */
  acceptOne(item: InvestigationItem, nowMs: number): Promise<AcceptedRequest>;
  /**
   * Records a batch, in pipelines. Resolves when Redis has acknowledged all of it, with one answer per entry:
   * `undefined` for a rejected one. If it rejects, part of the batch may be recorded; posted again, what is recorded
   * is joined and nothing is doubled.
   */
  acceptBatch(
    entries: readonly BatchEntry[],
    nowMs: number,
  ): Promise<{ batchId: string; accepted: (AcceptedRequest | undefined)[] }>;
}

export interface RequestIntakeOptions {
  redis: Redis;
  keySpace: string;
  tickets: TicketQueue;
  /** How long settled requests and completed batches can be read. */
  retentionMs: number;
}

/** Requests per script: about 5 ms of Redis' time, so that a large batch does not keep others waiting. */
const chunkSize = 250;

export function createRequestIntake({
  redis,
  keySpace,
  tickets,
  retentionMs,
}: RequestIntakeOptions): RequestIntake {
  async function place(
    requests: readonly NewRequest[],
    batchId: string,
    nowMs: number,
  ): Promise<Placement[]> {
    const placements: Placement[] = [];
    for (let i = 0; i < requests.length; i += chunkSize) {
      const chunk = requests.slice(i, i + chunkSize);
      placements.push(...(await acceptChunk(redis, keySpace, { requests: chunk, batchId, nowMs })));
    }
    await tickets.add(ticketsFor(requests, placements));
    return placements;
  }

  return {
    async acceptOne(item, nowMs) {
      const request = newRequest(item, nowMs);
      const [placement] = await place([request], '', nowMs);
      return accepted(request, placement);
    },
    async acceptBatch(entries, nowMs) {
      const batchId = uuidv7();
      const requests = entries.map((entry) => (isRejected(entry) ? undefined : newRequest(entry, nowMs)));
      const newRequests = requests.filter((request) => request !== undefined);
      const items = entries.map((entry, i) =>
        isRejected(entry) ? JSON.stringify(entry) : (requests[i]?.id ?? ''),
      );
      const rejected = entries.length - newRequests.length;
      await openBatch(redis, keySpace, { batchId, nowMs, items, rejected, retentionMs });
      const placements = await place(newRequests, batchId, nowMs);
      await sealBatch(redis, keySpace, { batchId, retentionMs });
      const placed = placements[Symbol.iterator]();
      return {
        batchId,
        accepted: requests.map((request) => (request ? accepted(request, placed.next().value) : undefined)),
      };
    },
  };
}

function isRejected(entry: BatchEntry): entry is RejectedItem {
  return 'rejected' in entry;
}

function newRequest(item: InvestigationItem, nowMs: number): NewRequest {
  return {
    id: uuidv7(),
    newDispatchId: uuidv7(),
    machineId: item.machineId,
    doc: JSON.stringify({ ...item, createdAt: new Date(nowMs).toISOString() }),
    rank: orderRank(nowMs, item.priority),
    notAfterMs: item.notAfter === undefined ? undefined : Date.parse(item.notAfter),
  };
}

function accepted(request: NewRequest, placement: Placement | undefined): AcceptedRequest {
  if (!placement) throw new Error('the store answered for fewer requests than it was given');
  return placement.joined === undefined
    ? { id: request.id }
    : { id: request.id, coalescedWith: placement.joined };
}

/** One ticket per dispatch. A joined dispatch gets its ticket again: if an earlier attempt failed to, this repairs it. */
function ticketsFor(requests: readonly NewRequest[], placements: readonly Placement[]) {
  const byDispatch = new Map(
    placements.map(({ dispatchId, rank }, i) => [
      dispatchId,
      { dispatchId, rank, machineId: requests[i]?.machineId ?? '' },
    ]),
  );
  return [...byDispatch.values()];
}
