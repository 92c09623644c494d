import type { Redis } from 'ioredis';
import { docOf } from '@diq/queue/requests/stored-request.ts';

/** Everything that stands in Redis, as text: names of keys and all their contents. */
export async function readAllKeys(redis: Redis): Promise<string> {
  const keys = await redis.keys('*');
  const contents = await Promise.all(keys.map(async (key) => JSON.stringify([key, await read(redis, key)])));
  return contents.join('\n');
}

async function read(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'hash': {
      const hash = await redis.hgetall(key);
      // What was asked is kept in parts, and a secret may lie across two of them.
      return [hash, docOf(hash)];
    }
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, 0, '-1', 'WITHSCORES');
    case 'stream':
      return redis.xrange(key, '-', '+');
    case 'none':
      return null;
    default:
      throw new Error(`${key} is a ${type}, which this search does not read`);
  }
}
