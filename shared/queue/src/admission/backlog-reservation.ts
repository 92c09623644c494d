import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';

/** How much may wait. */
export interface BacklogBounds {
  requests: number;
  /** `undefined`: as many as there are requests. */
  tasks: number | undefined;
  /** Requests of one caller; `undefined`: as many as of all. */
  ofCaller?: number | undefined;
  /** Bytes that are stored of one caller; `undefined`: as many as there is room for. */
  bytesOfCaller?: number | undefined;
  /** Of a source of the caller, which then has no other that is bounded; `undefined`: as many as of the caller. */
  ofSource?: SourceBound | undefined;
}

/** How many requests of a source may wait. */
export interface SourceBound {
  source: string;
  most: number;
}

export type Room =
  /** To be given back as soon as the requests are recorded, or could not be. */
  | { kind: 'kept'; giveBack(): Promise<void> }
  /** What waits, with what is being recorded at this moment. */
  | { kind: 'full'; requests: number; tasks: number; ofCaller: number }
  /** Requests of the bounded source that wait, with what is being recorded at this moment. */
  | { kind: 'source-full'; ofSource: number }
  /** Bytes of the caller, with those that room is kept for at this moment. */
  | { kind: 'storage-full'; storedBytes: number };

/** Longer than recording the largest batch takes; after that the intake is taken for dead. */
const giveUpAfterMs = 60_000;

const script = loadScript(new URL('../lua/reserve-backlog.lua', import.meta.url));
const reply = z.tuple([
  z.enum(['kept', 'full', 'source-full', 'storage-full']),
  z.number(),
  z.number(),
  z.number(),
]);

export type BacklogRoom = ReturnType<typeof createBacklogRoom>;

/** Room in the backlog, kept in Redis for all intakes together. See `lua/reserve-backlog.lua`. */
export function createBacklogRoom(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);

  /** `begunKey` is what they are recorded under: what was begun before is let through, so that it can be completed. */
  async function keep(
    size: number,
    bounds: BacklogBounds,
    begunKey: string,
    { caller = '', bytes = 0 }: { caller?: string | undefined; bytes?: number | undefined },
  ): Promise<Room> {
    const name = `${bounds.ofSource ? 'source.' : ''}${randomUUID()}`;
    const [kind, first, tasks, ofCaller] = reply.parse(
      await script(
        redis,
        [
          keys.counts,
          keys.waiting,
          keys.reservations,
          begunKey,
          keys.callerCounts,
          keys.stored,
          keys.sourceCounts,
        ],
        [
          size,
          name,
          giveUpAfterMs,
          bounds.requests,
          bounds.tasks ?? '',
          bounds.ofCaller ?? '',
          caller,
          bytes,
          bounds.bytesOfCaller ?? '',
          bounds.ofSource?.most ?? '',
          bounds.ofSource?.source ?? '',
        ],
      ),
    );
    if (kind === 'full') return { kind, requests: first, tasks, ofCaller };
    if (kind === 'source-full') return { kind, ofSource: first };
    if (kind === 'storage-full') return { kind, storedBytes: first };
    return {
      kind,
      async giveBack() {
        await redis.zrem(keys.reservations, `${caller}\0${name}:${bytes}:${size}`);
      },
    };
  }

  return {
    /** Keeps room for so many requests of a caller, and so many bytes, that are recorded under a batch. */
    keep: (size: number, bounds: BacklogBounds, batchId: string, caller?: string, bytes?: number) =>
      keep(size, bounds, keys.batch(batchId), { caller, bytes }),
    /** The same for one request alone. */
    keepForOne: (bounds: BacklogBounds, requestId: string, caller?: string, bytes?: number) =>
      keep(1, bounds, keys.request(requestId), { caller, bytes }),
  };
}
