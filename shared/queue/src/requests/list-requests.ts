import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { operationIn } from '@diq/contracts/operations.ts';
import { z } from 'zod';
import { joinOpenResults } from './open-results.ts';
import { chooseWalk } from './request-cursor.ts';
import type { Met } from './request-cursor.ts';
import { fits, isExact } from './request-filter.ts';
import type { RequestFilter } from './request-filter.ts';
import { storeKeys } from '../store-keys.ts';
import { parseStoredRequest } from './stored-request.ts';
import type { StoredRequest } from './stored-request.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

export interface RequestPage {
  requests: StoredRequest[];
  /** The position to go on from; `undefined` at the end. A page may be short, or empty, and still have one. */
  next: string | undefined;
}

/** Requests looked at for one page, whether they fit or not: so that no filter makes a page slow. */
const lookAtMost = 2_000;
/** Characters of a page: 500 requests with a comment of 4,000 each have room, of the largest possible ones some 130. */
const maxPageCharacters = 2_500_000;

const hashReply = z.record(z.string(), z.string());

export function createRequestList(redis: RedisConnection, keySpace: string) {
  return {
    /**
     * At most `limit` requests that fit, newest first, behind a position that an earlier page ended with. The page ends early
     * where its requests are large.
     */
    async page(filter: RequestFilter, limit: number, position?: string): Promise<RequestPage> {
      const walk = await chooseWalk(redis, keySpace, filter);
      const requests: StoredRequest[] = [];
      let next = position;
      // Where the index says it all, no more is read than is asked for.
      const readAtOnce = Math.min(500, Math.max(limit, isExact(filter) ? 1 : 250));
      let characters = 0;
      for (let lookedAt = 0; lookedAt < lookAtMost;) {
        // One more than is read tells whether there is more.
        const met = await walk.more(next, readAtOnce + 1);
        const looked = met.slice(0, readAtOnce);
        let i = 0;
        for await (const { found, size } of readMet(redis, keySpace, looked)) {
          next = looked[i]?.position;
          i += 1;
          if (found && fits(found, filter)) {
            requests.push(found);
            characters += size;
          }
          if (requests.length < limit && characters < maxPageCharacters) continue;
          return { requests, next: i < met.length ? next : undefined };
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
  redis: RedisConnection,
  keySpace: string,
  met: readonly Met[],
  filter: RequestFilter,
): Promise<Met[]> {
  const fitting: Met[] = [];
  let i = 0;
  for await (const { found } of readMet(redis, keySpace, met)) {
    const one = met[i];
    if (one && found && fits(found, filter)) fitting.push(one);
    i += 1;
  }
  return fitting;
}

/** The same, with what they say. */
export async function readFittingRequests(
  redis: RedisConnection,
  keySpace: string,
  met: readonly Met[],
  filter: RequestFilter,
): Promise<StoredRequest[]> {
  const fitting: StoredRequest[] = [];
  for await (const { found } of readMet(redis, keySpace, met))
    if (found && fits(found, filter)) fitting.push(found);
  return fitting;
}

/** In their order, with how many characters their records have. */
async function* readMet(
  redis: RedisConnection,
  keySpace: string,
  met: readonly Met[],
): AsyncGenerator<{ found: StoredRequest | undefined; size: number }> {
  const ids = met.map(({ id }) => id);
  const operation = operationIn(keySpace);
  for await (const [id, hash] of readRequestHashes(redis, keySpace, ids)) {
    const size = Object.values(hash).reduce((sum, value) => sum + value.length, 0);
    yield { found: parseStoredRequest(id, hash, operation), size };
  }
}

/** Of the largest requests they come to 2 MB, behind which the commands of others wait on the connection. */
const readTogether = 50;

/** The records of requests with what their results have come to, `{}` for one that is gone. */
export async function* readRequestHashes(
  redis: RedisConnection,
  keySpace: string,
  ids: readonly string[],
): AsyncGenerator<readonly [id: string, hash: Record<string, string>]> {
  const keys = storeKeys(keySpace);
  for (let from = 0; from < ids.length; from += readTogether) {
    const some = ids.slice(from, from + readTogether);
    const pipeline = plainPipeline(redis);
    for (const id of some) pipeline.hgetall(keys.request(id));
    const replies = await repliesOf(pipeline);
    const hashes = await joinOpenResults(redis, keySpace, z.array(hashReply).parse(replies));
    for (const [i, id] of some.entries()) yield [id, hashes[i] ?? {}];
  }
}
