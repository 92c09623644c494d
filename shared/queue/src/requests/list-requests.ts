import type { Redis } from 'ioredis';
import { z } from 'zod';
import { chooseWalk } from './request-cursor.ts';
import type { Met, RequestFilter } from './request-cursor.ts';
import { storeKeys } from '../store-keys.ts';
import { parseStoredRequest } from './stored-request.ts';
import type { StoredRequest } from './stored-request.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

export interface RequestPage {
  requests: StoredRequest[];
  /** The position to go on from; `undefined` at the end. A page may be short, or empty, and still have one. */
  next: string | undefined;
}

export interface RequestList {
  /** At most `limit` requests that fit, newest first, behind a position that an earlier page ended with. */
  page(filter: RequestFilter, limit: number, position?: string): Promise<RequestPage>;
}

/** Requests looked at for one page, whether they fit or not: so that no filter makes a page slow. */
const lookAtMost = 2_000;

const hashReply = z.record(z.string(), z.string());

export function createRequestList(redis: Redis, keySpace: string): RequestList {
  return {
    async page(filter, limit, position) {
      const walk = await chooseWalk(redis, keySpace, filter);
      const requests: StoredRequest[] = [];
      let next = position;
      // Where the index says it all, no more is read than is asked for.
      const readAtOnce = Math.min(500, Math.max(limit, isExact(filter) ? 1 : 250));
      for (let lookedAt = 0; lookedAt < lookAtMost;) {
        // One more than is read tells whether there is more.
        const met = await walk.more(next, readAtOnce + 1);
        const looked = met.slice(0, readAtOnce);
        for (const [i, found] of (await readMet(redis, keySpace, looked)).entries()) {
          next = looked[i]?.position;
          if (found && fits(found, filter)) requests.push(found);
          if (requests.length < limit) continue;
          return { requests, next: i + 1 < met.length ? next : undefined };
        }
        if (met.length <= readAtOnce) return { requests, next: undefined };
        lookedAt += looked.length;
      }
      return { requests, next };
    },
  };
}

/** Those requests on a walk that are there and fit. */
export async function readFitting(
  redis: Redis,
  keySpace: string,
  met: readonly Met[],
  filter: RequestFilter,
): Promise<Met[]> {
  const read = await readMet(redis, keySpace, met);
  return met.filter((_, i) => {
    const found = read[i];
    return found !== undefined && fits(found, filter);
  });
}

async function readMet(
  redis: Redis,
  keySpace: string,
  met: readonly Met[],
): Promise<(StoredRequest | undefined)[]> {
  const keys = storeKeys(keySpace);
  const pipeline = redis.pipeline();
  for (const { id } of met) pipeline.hgetall(keys.request(id));
  const replies = await repliesOf(pipeline);
  return met.map(({ id }, i) => parseStoredRequest(id, hashReply.parse(replies[i])));
}

/** Whether a request is one that the filter asks for. */
function fits(
  { document, caller: owner }: StoredRequest,
  { status, machineId, batchId, source, caller }: RequestFilter,
): boolean {
  return (
    (status === undefined || status.includes(document.status)) &&
    (machineId === undefined || document.machineId === machineId) &&
    (batchId === undefined || document.batchId === batchId) &&
    (source === undefined || document.source === source) &&
    (caller === undefined || owner === caller)
  );
}

/** Whether nearly every request that a walk meets fits. */
export function isExact(filter: RequestFilter): boolean {
  return Object.values(filter).filter((value) => value !== undefined).length <= 1;
}
