import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { OpenTask } from './positions.ts';
import type { Line, Lines, Standing } from './fair-queue.ts';
import { storeKeys } from '../store-keys.ts';
import { repliesOf } from '../scheduling/job-queue.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';

/** The open task of a machine with what decides on its place. */
export interface KnownTask extends OpenTask, Standing {
  /** Requests that have joined it, and those of the caller among them. */
  joined: number;
  joinedOfCaller: number;
}

/** The investigation that was started last on a machine. */
export interface RecentStart {
  investigationId: string;
  /** The request that it was started for. */
  with: string;
  startedAtMs: number;
}

/** Reads in pipelines what `accept.lua` would find. */
export interface PreviewReader {
  /** By machine. */
  openTasks(machineIds: readonly string[], caller: string): Promise<Map<string, KnownTask>>;
  recentStarts(machineIds: readonly string[]): Promise<Map<string, RecentStart>>;
  /** The lines of all classes for this caller, with the turns of the sources that are named. */
  lines(
    caller: string,
    sources: ReadonlyMap<Priority, readonly string[]>,
    floorOf: (priority: Priority, line: Line) => number,
  ): Promise<Lines>;
  countUpTo(ranks: readonly number[]): Promise<number[]>;
  /** Whether a request is recorded under each of these ids. */
  areRecorded(requestIds: readonly string[]): Promise<boolean[]>;
}

/** Commands per pipeline. */
const chunkSize = 500;
/** Turns read of a caller's sources in one class. With more, the preview is as if it had no others. */
const maxSources = 10_000;

const taskReply = z.object({
  first: z.string(),
  state: z.enum(['waiting', 'in_flight', 'reconciling']),
  class: z.enum(priorities),
  tag: z.coerce.number(),
  priority: z.coerce.number(),
});
const recentReply = z.object({
  request: z.string(),
  investigation: z.string(),
  startedAt: z.coerce.number(),
});
const texts = z.array(z.string().nullable());

export function createPreviewReader(
  redis: Redis,
  keySpace: string,
  jobs: Pick<JobQueue, 'positions' | 'countUpTo'>,
): PreviewReader {
  const keys = storeKeys(keySpace);

  async function tasksOf(found: readonly { machineId: string; id: string }[], caller: string) {
    const pipeline = redis.pipeline();
    for (const { id } of found) pipeline.hgetall(keys.task(id));
    for (const { id } of found) pipeline.zcard(`${keys.task(id)}:joined`);
    const replies = await repliesOf(pipeline);
    const positions = await jobs.positions(found.map(({ id }) => id));
    return found.flatMap(({ machineId, id }, i) => {
      // One that is corrupt or gone is joined by nobody.
      const { data } = taskReply.safeParse(replies[i]);
      if (!data) return [];
      const { first, state, class: priority, tag, priority: rank } = data;
      const position = state === 'waiting' ? positions[i] : undefined;
      const joined = Number(replies[found.length + i]);
      const counted = z.record(z.string(), z.string()).parse(replies[i])[joinedBy(caller)];
      const about = { joined, joinedOfCaller: Number(counted ?? 0) };
      return [[machineId, { id, first, priority, tagMs: tag, rank, position, ...about }] as const];
    });
  }

  async function turnsIn(
    priority: Priority,
    caller: string,
    sources: readonly string[],
  ): Promise<Map<string, number>> {
    const scores = await inChunks(sources, async (chunk) =>
      texts.parse(await redis.zmscore(keys.sourceTurns(priority, caller), ...chunk)),
    );
    return new Map(
      sources.flatMap((source, i) => {
        const score = scores[i] ?? null;
        return score === null ? [] : [[source, Number(score)] as const];
      }),
    );
  }

  return {
    async openTasks(machineIds, caller) {
      const found = await inChunks(machineIds, async (chunk) => {
        const ids = texts.parse(await redis.hmget(keys.machines, ...chunk));
        return chunk.flatMap((machineId, i) => {
          const id = ids[i] ?? null;
          return id === null ? [] : [{ machineId, id }];
        });
      });
      return new Map(await inChunks(found, (chunk) => tasksOf(chunk, caller)));
    },
    async recentStarts(machineIds) {
      const rows = await inChunks(machineIds, async (chunk) => {
        const found = texts.parse(await redis.mget(chunk.map(keys.machineRecent)));
        return chunk.flatMap((machineId, i) => {
          const json = found[i] ?? null;
          if (json === null) return [];
          const { request, investigation, startedAt } = recentReply.parse(JSON.parse(json));
          return [
            [machineId, { with: request, investigationId: investigation, startedAtMs: startedAt }] as const,
          ];
        });
      });
      return new Map(rows);
    },
    async lines(caller, sources, floorOf) {
      const pipeline = redis.pipeline();
      for (const key of [keys.waiting, keys.inFlight, keys.reconciling]) pipeline.zcard(key);
      for (const priority of priorities) pipeline.zscore(keys.turns(priority), caller);
      const [order, counts, ...turns] = await Promise.all([
        redis.hgetall(keys.order),
        repliesOf(pipeline),
        ...priorities.map((priority) => turnsIn(priority, caller, sources.get(priority) ?? [])),
      ]);
      const isEmpty = counts.slice(0, 3).every((count) => count === 0);
      const fields: Record<string, string> = isEmpty ? {} : order;
      const lines = priorities.map((priority, i): [Priority, Line] => [
        priority,
        {
          waiting: Number(fields[`waiting:${priority}`] ?? 0),
          begunMs: optionalNumber(fields[`begun:${priority}`]),
          nextMs: Number(counts[3 + i] ?? 0),
          turns: turns[i] ?? new Map<string, number>(),
        },
      ]);
      // Of all other sources those that are ahead of the caller's present turn count.
      const reading = redis.pipeline();
      for (const [priority, line] of lines) {
        const behind = `(${floorOf(priority, line)}`;
        const key = keys.sourceTurns(priority, caller);
        reading.zrange(key, behind, '+inf', 'BYSCORE', 'LIMIT', 0, maxSources, 'WITHSCORES');
      }
      const others = z.array(z.array(z.string())).parse(await repliesOf(reading));
      for (const [i, [, line]] of lines.entries()) {
        const found = others[i] ?? [];
        for (let j = 0; j < found.length; j += 2) line.turns.set(found[j] ?? '', Number(found[j + 1]));
      }
      return { epochMs: optionalNumber(fields['epoch']), lines: new Map(lines) };
    },
    countUpTo: (ranks) => inChunks(ranks, (chunk) => jobs.countUpTo(chunk)),
    areRecorded: (requestIds) =>
      inChunks(requestIds, async (chunk) => {
        const pipeline = redis.pipeline();
        for (const id of chunk) pipeline.exists(keys.request(id));
        return (await repliesOf(pipeline)).map((found) => found === 1);
      }),
  };
}

/** The field of a task that counts which of its requests the caller has joined to it, as in `lua/detach.lua`. */
function joinedBy(caller: string): string {
  const isShort = Buffer.byteLength(caller) <= 40;
  return `by:${isShort ? caller : createHash('sha1').update(caller).digest('hex')}`;
}

function optionalNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

async function inChunks<T, U>(
  all: readonly T[],
  act: (chunk: readonly T[]) => Promise<readonly U[]>,
): Promise<U[]> {
  const results: U[] = [];
  for (let i = 0; i < all.length; i += chunkSize) results.push(...(await act(all.slice(i, i + chunkSize))));
  return results;
}
