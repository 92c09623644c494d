import { serverTimeMs } from '@diq/redis/ask-owner.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import type { z } from 'zod';
import { auditEntry } from '@diq/contracts/audit-entry.ts';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';

/** On whose behalf something is done, and why, in the caller's words. */
export interface Actor {
  name: string;
  /** Of a person, for people to read. */
  displayName?: string | undefined;
  reason?: string | undefined;
}

/** Who did what and why; what it was done to stands in further fields, such as `requestId`. Never a secret. */
export type AuditEntry = z.output<typeof auditEntry>;

/** An entry as it was recorded, at a time of Redis' clock. Ids rise with time. */
export interface RecordedEntry {
  id: string;
  atMs: number;
  entry: AuditEntry;
}

const recordScript = loadScript(new URL('../lua/record-audit.lua', import.meta.url), { whenFull: true });

export type AuditLog = ReturnType<typeof createAuditLog>;

/** @param keptMs how long entries can be read */
export function createAuditLog(redis: RedisConnection, keySpace: string, keptMs: number) {
  const { audit, stored } = storeKeys(keySpace);
  return {
    /** How long entries can be read, in ms. */
    keptMs,
    /**
     * For what is done elsewhere; an action's own script records its entry itself.
     *
     * @param countedFor for whom its bytes count among those that are stored of a caller
     */
    async record(entry: AuditEntry, countedFor = ''): Promise<void> {
      await recordScript(redis, [audit, stored], [JSON.stringify(entry), keptMs, countedFor]);
    },
    /** At most `limit` entries, newest first, older than the entry `before`; none that is older than is kept. */
    async page(limit: number, before?: string): Promise<{ entries: RecordedEntry[]; hasMore: boolean }> {
      const wholeSeconds = Math.floor((await serverTimeMs(redis, audit)) / 1_000);
      const oldest = String(Math.max(0, wholeSeconds * 1_000 - keptMs));
      const newest = before === undefined ? '+' : `(${before}`;
      const found = await redis.xrevrange(audit, newest, oldest, 'COUNT', limit + 1);
      return { entries: found.slice(0, limit).map(toRecorded), hasMore: found.length > limit };
    },
  };
}

/** The entry of something that an actor does. */
export function entryOf(
  action: AuditEntry['action'],
  { name, displayName, reason }: Actor,
  subject: Record<string, unknown> = {},
): AuditEntry {
  return {
    action,
    by: name,
    ...(displayName === undefined ? {} : { displayName }),
    ...(reason === undefined ? {} : { reason }),
    ...subject,
  };
}

function toRecorded([id, fields]: [string, string[]]): RecordedEntry {
  return { id, atMs: Number(id.split('-')[0]), entry: auditEntry.parse(JSON.parse(fields[1] ?? '')) };
}
