import type { RedisConnection } from '@diq/redis/connection.ts';
import { parseCall, type LedgerCall } from './replies.ts';

/** The ledger's keys in one key space; their meaning stands on top of the scripts that use them. */
export function ledgerKeys(keySpace: string) {
  return {
    calls: `${keySpace}:ledger:calls`,
    entries: `${keySpace}:ledger:entries`,
    intents: `${keySpace}:ledger:intents`,
    generation: `${keySpace}:ledger:generation`,
    settings: `${keySpace}:ledger:settings`,
    estimate: `${keySpace}:ledger:estimate`,
    workers: `${keySpace}:ledger:workers`,
    holds: `${keySpace}:holds`,
    holdStreaks: `${keySpace}:holds:streaks`,
    holdDetails: `${keySpace}:holds:details`,
    aside: `${keySpace}:holds:aside`,
    answers: `${keySpace}:ledger:answers`,
  } as const;
}

/** KEYS of the scripts behind lua/lib/ledger.lua, in its order. */
export function ledgerScriptKeys(keySpace: string): string[] {
  const keys = ledgerKeys(keySpace);
  const { calls, entries, intents, holds, generation, settings, estimate, workers, ...refusals } = keys;
  const { holdStreaks, answers, aside } = refusals;
  const ofCalls = [calls, entries, intents, holds, generation, settings, estimate, workers];
  return [...ofCalls, holdStreaks, answers, aside];
}

/** Records read with one command, so that none keeps Redis for long. */
const chunkSize = 250;

/** Calls of the windows that the ledger keeps, about 25. */
export function createLedgerHistory(redis: RedisConnection, keySpace: string) {
  const keys = ledgerKeys(keySpace);
  return {
    /**
     * Calls whose window counts from this time (ms of Redis' clock) or later, newest first: at most `limit` of them, and
     * without those whose record cannot be read.
     */
    async since(fromMs: number, limit: number): Promise<LedgerCall[]> {
      const ids = await redis.zrange(keys.calls, '+inf', String(fromMs), 'BYSCORE', 'REV', 'LIMIT', 0, limit);
      const found: LedgerCall[] = [];
      for (let i = 0; i < ids.length; i += chunkSize) {
        const entries = await redis.hmget(keys.entries, ...ids.slice(i, i + chunkSize));
        found.push(...entries.flatMap((json) => (json === null ? [] : (parseCall(json) ?? []))));
      }
      return found;
    },
  };
}

/** What the ledger remembers of tasks whose calls were refused; see lua/lib/judge-refusal.lua. */
export function createRefusedTasks(
  redis: RedisConnection,
  keys: Pick<ReturnType<typeof ledgerKeys>, 'answers' | 'aside'>,
) {
  return {
    /** Whether a call for this task was refused, whatever the cause. */
    wasRefused: async (taskId: string) => (await redis.exists(`${keys.answers}:${taskId}`)) === 1,
    /** Tasks set aside whose time is over: enough other calls were answered well. */
    async asideOver(): Promise<string[]> {
      // Usually no task is set aside. Where the counters were erased, all tasks set aside are over.
      if ((await redis.zcard(keys.aside)) === 0) return [];
      const [good, refused] = await redis.hmget(keys.answers, 'good', 'refused');
      if ((refused ?? null) === null) return redis.zrange(keys.aside, 0, '-1');
      return redis.zrangebyscore(keys.aside, '-inf', good ?? '0');
    },
    isAside: async (taskId: string) => (await redis.zscore(keys.aside, taskId)) !== null,
    async forgetAside(taskIds: readonly string[]) {
      if (taskIds.length > 0) await redis.zrem(keys.aside, ...taskIds);
    },
  };
}
