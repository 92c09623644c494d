import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import { operationIn } from '@diq/contracts/operations.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { storeKeys } from '../store-keys.ts';
import { parseStoredRequest } from '../requests/stored-request.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

/** Statuses of requests that ended without an investigation and without anybody having wished so. */
const failureStatuses = ['failed', 'unknown', 'expired'] as const;

export interface Failure {
  document: RequestDocument;
  /** ms; `undefined` where so many others ended since that it was not looked for. */
  endedAtMs: number | undefined;
}

/** Ended requests looked at, so that many good ends since the last failure make nothing slow. */
const lookAtMost = 1_000;
const pageSize = 250;

const hashReply = z.record(z.string(), z.string());

/**
 * The requests that failed last, newest first. Where fewer than `limit` are among those that ended last, the youngest of
 * the others follow.
 */
export function createNewestFailures(redis: RedisConnection, keySpace: string, retentionMs: number) {
  const keys = storeKeys(keySpace);
  const operation = operationIn(keySpace);

  async function endedLast(limit: number): Promise<Map<string, number | undefined>> {
    const found = new Map<string, number | undefined>();
    for (let offset = 0; offset < lookAtMost && found.size < limit; offset += pageSize) {
      const page = await redis.zrange(keys.ended, offset, String(offset + pageSize - 1), 'REV', 'WITHSCORES');
      for (let i = 0; i < page.length && found.size < limit; i += 2) {
        const [id = '', status = ''] = (page[i] ?? '').split(':', 2);
        if (isFailure(status)) found.set(id, Number(page[i + 1]) - retentionMs);
      }
      if (page.length < 2 * pageSize) break;
    }
    return found;
  }

  async function youngest(limit: number): Promise<string[]> {
    const pages = await Promise.all(
      failureStatuses.map((status) => redis.zrange(keys.listed(status), 0, String(limit - 1), 'REV')),
    );
    return pages.flat().toSorted().toReversed();
  }

  return async (limit: number): Promise<Failure[]> => {
    const found = await endedLast(limit);
    if (found.size < limit) {
      for (const id of await youngest(limit)) if (!found.has(id)) found.set(id, undefined);
    }
    const wanted = [...found].slice(0, limit);
    if (wanted.length === 0) return [];
    const pipeline = plainPipeline(redis);
    for (const [id] of wanted) pipeline.hgetall(keys.request(id));
    const hashes = await repliesOf(pipeline);
    return wanted.flatMap(([id, endedAtMs], i) => {
      const stored = parseStoredRequest(id, hashReply.parse(hashes[i]), operation);
      return stored ? [{ document: stored.document, endedAtMs }] : [];
    });
  };
}

function isFailure(status: string): boolean {
  return (failureStatuses as readonly string[]).includes(status);
}
