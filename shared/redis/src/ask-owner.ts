import { Command } from 'ioredis';
import { isCluster, type RedisConnection } from './connection.ts';

// Commands that name no key go to any server of a Redis Cluster. Their answer is of use only from the one that holds
// the key space that is meant.

/** The time of the server that holds `key`, ms since 1970 by its clock. */
export async function serverTimeMs(redis: RedisConnection, key: string): Promise<number> {
  const [seconds, micros] = (await askOwner(redis, key, 'time')) as string[];
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}

/** What the server that holds `key` says of itself, or one section of it. */
export async function serverInfo(redis: RedisConnection, key: string, section?: string): Promise<string> {
  return String(await askOwner(redis, key, 'info', ...(section === undefined ? [] : [section])));
}

/** A setting of the server that holds `key`; `undefined` where it has none of that name. */
export async function serverSetting(
  redis: RedisConnection,
  key: string,
  name: string,
): Promise<string | undefined> {
  const [, value] = (await askOwner(redis, key, 'config', 'GET', name)) as string[];
  return value;
}

/** Sends a command that names no key to the server that holds `key`. */
export function askOwner(
  redis: RedisConnection,
  key: string,
  name: string,
  ...args: readonly string[]
): Promise<unknown> {
  const command = new Command(name, [...args], { replyEncoding: 'utf8' });
  const sent = isCluster(redis)
    ? redis.sendCommand(command, undefined, { slot: slotOf(key) })
    : redis.sendCommand(command);
  return sent as Promise<unknown>;
}

/** Which server holds `key`, as far as is known; the same word for all where there is one. */
export function serverOf(redis: RedisConnection, key: string): string {
  return (isCluster(redis) ? redis.slots[slotOf(key)]?.[0] : undefined) ?? '';
}

/** Of these keys, the first of each server. */
export function onePerServer(redis: RedisConnection, keys: readonly string[]): string[] {
  const first = new Map(keys.toReversed().map((key) => [serverOf(redis, key), key]));
  return [...first.values()];
}

/** The hash slot of a key. */
export function slotOf(key: string): number {
  return new Command('get', [key]).getSlot() ?? 0;
}
