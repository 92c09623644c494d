import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';

const fields = z.record(z.string(), z.string());
/** One key with what it holds, and how long it is kept if it goes by itself. */
const storedKey = z.object({
  key: z.string(),
  ttlMs: z.number().optional(),
  value: z.union([
    z.object({ string: z.string() }),
    z.object({ hash: fields }),
    z.object({ list: z.array(z.string()) }),
    z.object({ set: z.array(z.string()) }),
    /** Members, each followed by its score. */
    z.object({ zset: z.array(z.string()) }),
    /** Entries: id, then fields and their values. */
    z.object({ stream: z.array(z.array(z.string())) }),
  ]),
});

export type StoredKey = z.output<typeof storedKey>;
export const storedKeys = z.array(storedKey);

/** All keys of a key space but those of BullMQ, in an order that stays. */
export async function readStored(redis: RedisConnection, keySpace: string): Promise<StoredKey[]> {
  const names = (await redis.keys(`${keySpace}:*`)).filter((name) => !name.startsWith(`${keySpace}:queue:`));
  const stored: StoredKey[] = [];
  for (const key of names.toSorted()) {
    const ttlMs = await redis.pttl(key);
    stored.push({ key, ...(ttlMs > 0 ? { ttlMs } : {}), value: await readValue(redis, key) });
  }
  return stored;
}

async function readValue(redis: RedisConnection, key: string): Promise<StoredKey['value']> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return { string: (await redis.get(key)) ?? '' };
    case 'hash':
      return { hash: await redis.hgetall(key) };
    case 'list':
      return { list: await redis.lrange(key, 0, '-1') };
    case 'set':
      return { set: await redis.smembers(key) };
    case 'zset':
      return { zset: await redis.zrange(key, 0, '-1', 'WITHSCORES') };
    case 'stream':
      return { stream: (await redis.xrange(key, '-', '+')).map(([id, entry]) => [id, ...entry]) };
    default:
      throw new Error(`${key} is a ${type}`);
  }
}

/** Puts such keys into Redis. */
export async function writeStored(redis: RedisConnection, stored: readonly StoredKey[]): Promise<void> {
  for (const { key, ttlMs, value } of stored) {
    if ('string' in value) await redis.set(key, value.string);
    else if ('hash' in value) await redis.hset(key, value.hash);
    else if ('list' in value) await redis.rpush(key, ...value.list);
    else if ('set' in value) await redis.sadd(key, ...value.set);
    else if ('zset' in value) await redis.zadd(key, ...scoresFirst(value.zset));
    else for (const [id = '*', ...entry] of value.stream) await redis.xadd(key, id, ...entry);
    if (ttlMs !== undefined) await redis.pexpire(key, ttlMs);
  }
}

function scoresFirst(pairs: readonly string[]): string[] {
  return pairs.flatMap((_, i) => (i % 2 === 0 ? [pairs[i + 1] ?? '', pairs[i] ?? ''] : []));
}

/** What the form of stored keys is, without their contents: kinds of keys, and the fields that their hashes have. */
export function formOf(stored: readonly StoredKey[]): Record<string, string[]> {
  const ids = new Set(
    stored.flatMap(({ key }) => /:(?:task|request|batch|machine):([^:]+)/.exec(key)?.[1] ?? []),
  );
  const withoutIds = (name: string) =>
    name
      .split(':')
      .map((part) =>
        ids.has(part) || /^(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{40}|\d{13})$/.test(part) ? '…' : part,
      )
      .join(':');
  const forms = new Map<string, Set<string>>();
  for (const { key, value } of stored) {
    const kind = `${withoutIds(key)} (${Object.keys(value)[0]})`;
    const form = forms.get(kind) ?? new Set();
    if ('hash' in value) for (const name of Object.keys(value.hash)) form.add(withoutIds(name));
    forms.set(kind, form);
  }
  return Object.fromEntries([...forms].map(([kind, names]) => [kind, [...names].toSorted()]));
}
