import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Limit } from '@diq/contracts/operations.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';

const minuteMs = 60_000;

/** What Defender lets one application read in one tenant, whichever programs use it. */
const limitsOfDefender: readonly Limit[] = [
  { calls: 100, windowMs: minuteMs },
  { calls: 1_500, windowMs: 60 * minuteMs },
];

/** The part of each limit that reads may use which can be left out: others must not wait for them. */
const optionalShare = 0.5;
/** How long no read is made after a 429 that does not say for how long. */
const usualBackOffMs = 30_000;
/** When to ask again while Redis cannot be asked. */
const redisAwayMs = 1_000;

const take = loadScript(new URL('./lua/take-read.lua', import.meta.url), { whenFull: true });
const settle = loadScript(new URL('./lua/settle-read.lua', import.meta.url), { whenFull: true });
const count = loadScript(new URL('./lua/count-reads.lua', import.meta.url));
const countReply = z.array(z.number());
const takeReply = z
  .tuple([z.number(), z.number(), z.number()], z.number())
  .transform(([taken, backAtMs, nowMs, ...used]) => ({ isTaken: taken === 1, backAtMs, nowMs, used }));

/** What a read is for. `needed`: without it a call or a start waits. `optional`: it can be left out. */
export type ReadPurpose = 'needed' | 'optional';

/** A read that may be made, or in how many ms to ask again. */
export type ReadTaken =
  | {
      readonly granted: true;
      /** To be called when it is answered, or failed. */
      answered(answer?: { isThrottled?: boolean; retryAfterMs?: number }): Promise<void>;
    }
  | { readonly granted: false; readonly retryAfterMs: number };

export type ReadBudget = Pick<ReturnType<typeof createReadBudget>, 'take'>;

/** The part of Defender's limits that a share of it is; at least one read of each. */
export function readLimits(share: number): Limit[] {
  return limitsOfDefender.map(({ calls, windowMs }) => ({
    calls: Math.max(1, Math.floor(calls * share)),
    windowMs,
  }));
}

/** The keys of a tenant's budget: a hash tag of their own, so that all queues of the tenant share them. */
export function readBudgetKeys(tenantId: string, name = 'reads'): [made: string, hold: string] {
  const keySpace = `diq:{${tenantId.toLowerCase()}/${name}}`;
  return [`${keySpace}:made`, `${keySpace}:hold`];
}

export interface ReadBudgetOptions {
  /** Must fail at once when it is away. */
  redis: RedisConnection;
  tenantId: string;
  /** Of a budget for itself, which is none of the tenant's other reads. */
  name?: string;
  limits: readonly Limit[];
  /** How long a read takes at most; after that it counts as given up. */
  timeoutMs: number;
  /** Gets the reads in use, by limit in the order of `limits`, each time they are known. */
  onUsed?: (used: readonly number[]) => void;
  onRefused?: () => void;
}

/**
 * The reads that all workers may make in one tenant together. Each is taken before it is sent, on the clock of Redis, and
 * counts in every window; while Redis cannot be asked none is made. It is not the ledger of calls: nothing that is read waits in
 * front of a call.
 */
export function createReadBudget(options: ReadBudgetOptions) {
  const { redis, limits, timeoutMs } = options;
  const keys = readBudgetKeys(options.tenantId, options.name);
  const limitArgs = (purpose: ReadPurpose) =>
    limits.flatMap(({ calls, windowMs }) => [
      purpose === 'needed' ? calls : Math.max(1, Math.floor(calls * optionalShare)),
      windowMs,
    ]);

  async function record(id: string, forMs: number | ''): Promise<void> {
    // A record that is lost costs the timeout, and the pause of one process.
    await settle(redis, keys, [id, forMs]).catch(() => undefined);
  }

  return {
    /** Takes a read, or says when to ask again. Never rejects: without an answer of Redis there is no read. */
    async take(purpose: ReadPurpose = 'needed'): Promise<ReadTaken> {
      const id = randomUUID();
      const asked = take(redis, keys, [id, Math.ceil(timeoutMs), ...limitArgs(purpose)]);
      const reply = await asked.then(
        (found) => takeReply.parse(found),
        () => undefined,
      );
      if (reply) options.onUsed?.(reply.used);
      if (!reply?.isTaken) {
        options.onRefused?.();
        // The read is possible from the millisecond after its time on.
        const retryAfterMs = reply ? Math.max(1, reply.backAtMs - reply.nowMs + 1) : redisAwayMs;
        return { granted: false, retryAfterMs };
      }
      return {
        granted: true,
        answered: ({ isThrottled = false, retryAfterMs } = {}) =>
          record(id, retryAfterMs ?? (isThrottled ? usualBackOffMs : '')),
      };
    },
    /** Reads in use, by limit. */
    async used(): Promise<number[]> {
      const reply = await count(
        redis,
        keys,
        limits.map(({ windowMs }) => windowMs),
      );
      const used = countReply.parse(reply);
      options.onUsed?.(used);
      return used;
    },
  };
}
