import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import { storedItemError } from '@diq/contracts/item-answer.ts';
import type { StoredItemError } from '@diq/contracts/item-answer.ts';
import { namingOf, type NamedMachine } from '@diq/contracts/machine-name.ts';
import { operationIn } from '@diq/contracts/operations.ts';
import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { resultOutcomes } from '@diq/contracts/result-outcome.ts';
import type { ResultOutcome } from '@diq/contracts/result-outcome.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';
import { readRequestHashes } from './list-requests.ts';
import { joinOpenResults } from './open-results.ts';
import { parseStoredCallback } from './stored-callback.ts';
import type { StoredCallback } from './stored-callback.ts';
import { parseStoredRequest } from './stored-request.ts';
import type { PlacedRequest, StoredRequest } from './stored-request.ts';
import { slotSavings } from '../tasks/task-store.ts';
import type { SlotSaving } from '../tasks/task-store.ts';
import { parseTaskPlace, placeFields } from '../scheduling/task-place.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

export interface StoredBatch {
  id: string;
  createdAtMs: number;
  isComplete: boolean;
  /** Only of one that is complete. */
  completedAtMs?: number;
  /** See `batch-tail.ts`. */
  tail: readonly string[];
  /** Who posted it; `undefined` for one that was recorded before callers were. */
  caller?: string;
  /** The receiver of the callback when it is complete. */
  callback?: StoredCallback;
  counts: Record<RequestStatus | 'total' | 'rejected', number>;
  /** Of its requests, those whose result is followed or was, by what came of it. */
  results: Record<ResultOutcome, number>;
  /** When the last of these results had ended, and nothing of it was open. */
  endedAtMs?: number;
}

/** An entry of a batch in input order: the request as it is now, or the refusal it met. */
export type BatchItem =
  | { index: number; request: StoredRequest }
  | { index: number; rejected: NamedMachine & { error: StoredItemError } }
  /** The request's retention is over before its batch's. */
  | { index: number; gone: string };

/** How much there is to do, read in one go. */
export interface Backlog {
  counts: Record<RequestStatus, number>;
  /** Of the requests that are `dispatching`: those whose answer was lost and is being looked up in Defender. */
  lookingUp: number;
  /** Results that are followed and have no observed end. */
  openResults: number;
  /** Tasks that wait for their call: the number of calls still to make. */
  waitingTasks: number;
  /** Of them those that wait for something else than a slot, and have no place in the order: for their turn on their machine, or for their machine to report. */
  aside: { machineBusy: number; machineOffline: number };
  /** All that wait, by class. */
  waitingByPriority: Record<Priority, number>;
  /** Tasks that ended without a call because a look showed that none was needed, since counting began. */
  slotsSaved: Record<SlotSaving, number>;
  /** When the longest-waiting task was asked for; `undefined` when none waits. */
  oldestSinceMs: number | undefined;
}

const zeroCounts = Object.fromEntries(requestStatuses.map((status) => [status, 0])) as Record<
  RequestStatus,
  number
>;

const findPlacedScript = loadScript(new URL('../lua/find-placed.lua', import.meta.url));
const asideReply = z.enum(['', 'machine_busy', 'machine_offline']);
const placedReply = z.tuple([
  z.array(z.string()),
  z.number(),
  z.array(z.string()),
  asideReply,
  z.string().transform((since) => (since === '' ? undefined : Number(since))),
]);
const sizesReply = z.tuple([z.number(), z.number(), z.number()]);
const batchTail = z.array(z.string());
const rejectedEntry = z.object({
  rejected: z.object({
    machineId: z.string().optional(),
    machineName: z.string().optional(),
    aadDeviceId: z.string().optional(),
    error: storedItemError,
  }),
});

export type RequestReader = ReturnType<typeof createRequestReader>;

export function createRequestReader(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);
  const operation = operationIn(keySpace);
  const parse = async (id: string, hash: Record<string, string>) => {
    const [joined = hash] = await joinOpenResults(redis, keySpace, [hash]);
    return parseStoredRequest(id, joined, operation);
  };

  return {
    async findRequest(id: string): Promise<StoredRequest | undefined> {
      return parse(id, await redis.hgetall(keys.request(id)));
    },
    async findPlaced(id: string): Promise<PlacedRequest | undefined> {
      const found = await findPlacedScript(
        redis,
        [keys.request(id), keys.jobOrder, keys.blocked, keys.offline],
        [keys.jobs, keys.task(''), ...placeFields],
      );
      const [fields, position, ofTask, reason, sinceMs] = placedReply.parse(found);
      const stored = await parse(id, hashOf(fields));
      const place = parseTaskPlace(ofTask.slice(0, -1), Number(ofTask.at(-1) ?? 0));
      const aside = reason === '' ? {} : { aside: { reason, sinceMs } };
      return stored && { ...stored, position: position === 0 ? undefined : position, place, ...aside };
    },
    async findBatch(id: string): Promise<StoredBatch | undefined> {
      const hash = await redis.hgetall(keys.batch(id));
      return hash['createdAt'] === undefined ? undefined : parseBatch(id, hash);
    },
    /** At most `limit` entries from `offset`; empty past the end. */
    async batchItems(id: string, offset: number, limit: number): Promise<BatchItem[]> {
      const entries = await redis.lrange(keys.batchItems(id), offset, offset + limit - 1);
      const ids = entries.filter((entry) => !entry.startsWith('{'));
      const requests = new Map<string, StoredRequest | undefined>();
      for await (const [requestId, hash] of readRequestHashes(redis, keySpace, ids))
        requests.set(requestId, parseStoredRequest(requestId, hash, operation));
      return entries.map((entry, i) => toItem(entry, offset + i, requests));
    },
    /**
     * Calls of an operation that Defender runs, as the workers count them: under way, looked up, or with a result whose end was not
     * seen yet. Where results are not followed, a call counts until its answer.
     */
    async countRunning({ followsResults }: { followsResults: boolean }): Promise<number> {
      const pipeline = plainPipeline(redis);
      pipeline.zcard(keys.inFlight);
      pipeline.zcard(keys.reconciling);
      if (followsResults) pipeline.zcard(keys.results);
      return z
        .array(z.number())
        .parse(await repliesOf(pipeline))
        .reduce((sum, size) => sum + size, 0);
    },
    /** Tasks of this class that wait for their call. */
    countWaitingOf: async (priority: Priority): Promise<number> =>
      Number((await redis.hget(keys.order, `waiting:${priority}`)) ?? 0),
    async backlog(): Promise<Backlog> {
      const pipeline = plainPipeline(redis);
      pipeline.hgetall(keys.counts);
      pipeline.zcard(keys.waiting);
      pipeline.zrange(keys.waiting, 0, '0', 'WITHSCORES');
      pipeline.hmget(keys.order, ...priorities.map((one) => `waiting:${one}`));
      for (const key of [keys.results, keys.blocked, keys.offline]) pipeline.zcard(key);
      const [stored, waiting, oldest, byPriority, ...sizes] = await repliesOf(pipeline);
      const [openResults, machineBusy, machineOffline] = sizesReply.parse(sizes);
      const [, oldestSince] = z.array(z.string()).parse(oldest);
      const { reconciling = 0, ...counts } = z.record(z.string(), z.coerce.number()).parse(stored);
      const all = { ...zeroCounts, ...onlyStatuses(counts) };
      return {
        counts: all,
        lookingUp: Math.min(Math.max(0, reconciling), all.dispatching),
        openResults,
        waitingTasks: z.number().parse(waiting),
        aside: { machineBusy, machineOffline },
        waitingByPriority: parseByPriority(byPriority),
        slotsSaved: savedIn(counts),
        oldestSinceMs: oldestSince === undefined ? undefined : Number(oldestSince),
      };
    },
  };
}

function onlyStatuses(counts: Readonly<Record<string, number>>): Partial<Record<RequestStatus, number>> {
  return Object.fromEntries(requestStatuses.flatMap((one) => (one in counts ? [[one, counts[one]]] : [])));
}

function savedIn(counts: Readonly<Record<string, number>>): Backlog['slotsSaved'] {
  const saved = slotSavings.map((reason) => [reason, counts[`saved:${reason}`] ?? 0]);
  return Object.fromEntries(saved) as Backlog['slotsSaved'];
}

function parseByPriority(reply: unknown): Record<Priority, number> {
  const numbers = z.array(z.coerce.number()).parse(reply);
  const entries = priorities.map((one, i) => [one, Math.max(0, numbers[i] ?? 0)]);
  return Object.fromEntries(entries) as Record<Priority, number>;
}

/** Out of fields that are each followed by their value. */
function hashOf(fields: readonly string[]): Record<string, string> {
  const hash: Record<string, string> = {};
  for (let i = 0; i < fields.length; i += 2) hash[fields[i] ?? ''] = fields[i + 1] ?? '';
  return hash;
}

/** Reads a batch's hash. */
export function parseBatch(id: string, hash: Record<string, string>): StoredBatch {
  const number = (name: string) => Number(hash[name] ?? 0);
  const byStatus = Object.fromEntries(requestStatuses.map((status) => [status, number(status)]));
  const counts = {
    ...zeroCounts,
    ...byStatus,
    total: number('total'),
    rejected: number('rejected'),
  };
  const callback = parseStoredCallback(hash, hash['completedAt'] ?? '');
  return {
    id,
    tail: batchTail.parse(JSON.parse(hash['tail'] ?? '[]')),
    createdAtMs: number('createdAt'),
    isComplete: hash['completedAt'] !== undefined,
    ...(hash['completedAt'] === undefined ? {} : { completedAtMs: number('completedAt') }),
    ...(hash['caller'] === undefined ? {} : { caller: hash['caller'] }),
    ...(callback === undefined ? {} : { callback }),
    counts,
    results: Object.fromEntries(
      resultOutcomes.map((one) => [one, Math.max(0, number(`results:${one}`))]),
    ) as Record<ResultOutcome, number>,
    ...(hash['endedAt'] === undefined ? {} : { endedAtMs: number('endedAt') }),
  };
}

function toItem(
  entry: string,
  index: number,
  requests: ReadonlyMap<string, StoredRequest | undefined>,
): BatchItem {
  if (!requests.has(entry)) {
    const { error, ...named } = rejectedEntry.parse(JSON.parse(entry)).rejected;
    return { index, rejected: { ...namingOf(named), error } };
  }
  const request = requests.get(entry);
  return request ? { index, request } : { index, gone: entry };
}
