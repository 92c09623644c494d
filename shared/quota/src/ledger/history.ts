import type { Redis } from 'ioredis';
import { ledgerKeys } from './ledger-keys.ts';
import { parseCall } from './replies.ts';
import type { LedgerCall } from './replies.ts';

/** Calls of the windows that the ledger keeps, about 25. */
export interface LedgerHistory {
  /**
   * Calls whose window counts from this time (ms of Redis' clock) or later, newest first: at most `limit` of them, and
   * without those whose record cannot be read.
   */
  since(fromMs: number, limit: number): Promise<LedgerCall[]>;
}

/** Records read with one command, so that none keeps Redis for long. */
const chunkSize = 250;

export function createLedgerHistory(redis: Redis, keySpace: string): LedgerHistory {
  const keys = ledgerKeys(keySpace);
  return {
    async since(fromMs, limit) {
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
