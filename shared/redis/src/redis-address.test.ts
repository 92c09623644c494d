import assert from 'node:assert/strict';
import { parseHostAndPort, parseRedisUrl } from './redis-address.ts';

describe('parseRedisUrl', () => {
  it('reads host, port, database, credentials and encryption', () => {
    assert.deepEqual(parseRedisUrl('redis://cache'), {
      kind: 'node',
      host: 'cache',
      port: 6379,
      db: 0,
      tls: false,
    });
    assert.deepEqual(parseRedisUrl('rediss://me:p%40ss@cache.example.com:6380/3'), {
      kind: 'node',
      host: 'cache.example.com',
      port: 6380,
      db: 3,
      username: 'me',
      password: 'p@ss',
      tls: true,
    });
    assert.equal(parseRedisUrl('redis://[::1]:6379').host, '::1');
    assert.deepEqual(parseRedisUrl('redis://:only@cache/'), {
      kind: 'node',
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
    }
  });
});

describe('parseHostAndPort', () => {
  it('reads names and addresses', () => {
    assert.deepEqual(parseHostAndPort('sentinel-1.example:26379'), {
      host: 'sentinel-1.example',
      port: 26_379,
    });
    assert.deepEqual(parseHostAndPort('[::1]:26379'), { host: '::1', port: 26_379 });
  });

  it('refuses what names no server and port', () => {
    for (const text of [
      '',
      'host',
      'host:',
      'host:0',
      'host:65536',
      ':1',
      '::1:1',
      'redis://host:1',
      'host:1/0',
    ])
      assert.throws(() => parseHostAndPort(text), /expected host:port/, text);
  });
});
