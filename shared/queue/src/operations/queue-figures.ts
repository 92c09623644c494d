import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { loadScript } from '@diq/redis/script.ts';
import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import { resultOutcomes, type ResultOutcome } from '@diq/contracts/result-outcome.ts';
import { storeKeys } from '../store-keys.ts';
import { askedFor, docFields, joinDoc } from '../requests/stored-request.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

/** The fields of a queued request by which waits are reported. */
export interface QueuedRequest {
  id: string;
  source: string | undefined;
  priority: Priority;
  createdAtMs: number;
}

/** What is queued, and was. Times are milliseconds of Redis' clock. */
export interface QueueFigures {
  /** Those of the most requests first; `undefined` for requests that name no source. */
  sources: { source: string | undefined; requests: number }[];
  /** How many sources there are beside these, and how many requests they have. */
  otherSources: number;
  otherRequests: number;
  /** Requests that were queued: at the begin of each step of the last 24 hours, and now. */
  lengths: { atMs: number; queued: number }[];
  /** Requests whose result is followed or was, as long as they are kept. */
  byOutcome: Record<ResultOutcome, number>;
  /** Those that wait for the longest. */
  oldest: QueuedRequest[];
  /** Whether more are queued than `oldest` has. */
  hasMore: boolean;
}

/** As in `lua/lib/queue-length.lua`. */
export const lengthStepMs = 300_000;
const lengthSteps = 288;

/** Not strict: the rest is not looked at. */
const counted = z.object(askedFor.pick({ source: true, priority: true, at: true }).shape);
const docReply = z.array(z.string().nullable());
const texts = z.array(z.string());
const figuresReply = z.tuple([z.number(), z.number(), z.number(), texts, texts, z.array(z.number())]);
const figuresScript = loadScript(new URL('../lua/read-figures.lua', import.meta.url));

/**
 * @param mostSources so many sources are named
 * @param mostOldest so many requests are read
 */
export function createQueueFigures(
  redis: RedisConnection,
  keySpace: string,
  { mostSources = 10, mostOldest = 250 } = {},
) {
  const keys = storeKeys(keySpace);

  async function readAll(ids: readonly string[]): Promise<QueuedRequest[]> {
    const pipeline = plainPipeline(redis);
    for (const id of ids) pipeline.hmget(keys.request(id), ...docFields);
    const docs = ids.length === 0 ? [] : await repliesOf(pipeline);
    return docs.flatMap((parts, i) => parseDoc(ids[i] ?? '', joinDoc(docReply.parse(parts))) ?? []);
  }

  return {
    /** `byOutcome` alone. */
    async readOutcomes(): Promise<QueueFigures['byOutcome']> {
      const pipeline = plainPipeline(redis);
      // The character behind the colon ends the range.
      for (const one of resultOutcomes) pipeline.zlexcount(keys.byOutcome, `[${one}:`, `(${one};`);
      return outcomesOf(z.array(z.number()).parse(await repliesOf(pipeline)));
    },
    /** The numbers are exact, of one instant. Their reading is bounded, however many are queued. */
    async read(): Promise<QueueFigures> {
      const [reply, oldestIds] = await Promise.all([
        figuresScript(
          redis,
          [keys.counts, keys.sourceCounts, keys.lengths, keys.byOutcome],
          [mostSources, ...resultOutcomes],
        ),
        // One more than are read tells whether there are more.
        redis.zrange(keys.listed('queued'), 0, String(mostOldest)),
      ]);
      const [nowMs, queued, sourceCount, most, changes, byOutcome] = figuresReply.parse(reply);
      const sources = pairs(most).map(([source, requests]) => ({
        source: source === '' ? undefined : source,
        requests,
      }));
      return {
        sources,
        otherSources: sourceCount - sources.length,
        otherRequests: Math.max(0, queued - sources.reduce((sum, { requests }) => sum + requests, 0)),
        lengths: lengthsBefore(nowMs, queued, new Map(pairs(changes).map(([at, by]) => [Number(at), by]))),
        byOutcome: outcomesOf(byOutcome),
        oldest: await readAll(oldestIds.slice(0, mostOldest)),
        hasMore: oldestIds.length > mostOldest,
      };
    },
  };
}

function outcomesOf(numbers: readonly number[]): QueueFigures['byOutcome'] {
  const entries = resultOutcomes.map((one, i) => [one, numbers[i] ?? 0]);
  return Object.fromEntries(entries) as QueueFigures['byOutcome'];
}

/** From the present length back: what came in within a step was not there before it, and what left then was. */
function lengthsBefore(nowMs: number, queued: number, changes: ReadonlyMap<number, number>) {
  const lengths = [{ atMs: nowMs, queued }];
  let length = queued;
  const thisStepMs = Math.floor(nowMs / lengthStepMs) * lengthStepMs;
  for (let i = 0; i < lengthSteps; i++) {
    const atMs = thisStepMs - i * lengthStepMs;
    length = Math.max(0, length - (changes.get(atMs) ?? 0));
    lengths.push({ atMs, queued: length });
  }
  return lengths.toReversed();
}

function pairs(values: readonly string[]): [string, number][] {
  return Array.from({ length: values.length / 2 }, (_, i) => [
    values[2 * i] ?? '',
    Number(values[2 * i + 1]),
  ]);
}

/** `undefined` for one that is gone meanwhile. */
function parseDoc(id: string, doc: string | null): QueuedRequest | undefined {
  if (doc === null) return undefined;
  const { source, priority, at } = counted.parse(JSON.parse(doc));
  return { id, source, priority, createdAtMs: at };
}
