import assert from 'node:assert/strict';
import { parseRedisUrl, redisUrl } from './redis-url.ts';

describe('parseRedisUrl', () => {
  it('reads host, port, database, credentials and encryption', () => {
    assert.deepEqual(parseRedisUrl('redis://cache'), { host: 'cache', port: 6379, db: 0, tls: false });
    assert.deepEqual(parseRedisUrl('rediss://me:p%40ss@cache.example.com:6380/3'), {
      host: 'cache.example.com',
      port: 6380,
      db: 3,
      username: 'me',
      password: 'p@ss',
      tls: true,
    });
    assert.equal(parseRedisUrl('redis://[::1]:6379').host, '::1');
    assert.deepEqual(parseRedisUrl('redis://:only@cache/'), {
      host: 'cache',
      port: 6379,
      db: 0,
      tls: false,
      password: 'only',
    });
  });

  it('refuses what is no Redis address without repeating it', () => {
    const urls =
      'hunter2 http://hunter2 redis:// redis:hunter2 //hunter2 redis://host:hunter2 redis://host/hunter2 ' +
      'redis://host?x=hunter2 redis://u:hunter2%@host redis://host#hunter2';
    for (const url of urls.split(' ')) {
      assert.throws(
        () => parseRedisUrl(url),
        (error) =>
          error instanceof TypeError && /expected/.test(error.message) && !/hunter2/.test(error.message),
        url,
      );
      assert.equal(redisUrl().safeParse(url).success, false);
    }
  });
});
