import assert from 'node:assert/strict';
import { z } from 'zod';
import { readSettings, SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { redisAddressOf, redisSecrets, redisShape } from './redis-settings.ts';

const read = (env: Env) =>
  redisAddressOf(readSettings(z.object(redisShape(env)), env, { secrets: redisSecrets }));

function faultsOf(env: Env): readonly string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

const access = { username: 'queue', password: 'p@ss', tls: true };
const REDIS_URL = 'rediss://queue:p%40ss@not-used:1';

describe('the settings that say where Redis is', () => {
  it('name one node', () => {
    assert.deepEqual(read({ REDIS_URL: 'rediss://queue:p%40ss@cache:6380/2' }), {
      kind: 'node',
      host: 'cache',
      port: 6380,
      db: 2,
      ...access,
    });
  });

  it('name sentinels instead of its host, with its user, password, database and TLS', () => {
    const env = {
      REDIS_URL: `${REDIS_URL}/2`,
      REDIS_SENTINELS: 's1:26379, s2:26380 ,[::1]:26381',
      REDIS_SENTINEL_NAME: 'queue',
    };
    const sentinels = [
      { host: 's1', port: 26_379 },
      { host: 's2', port: 26_380 },
      { host: '::1', port: 26_381 },
    ];
    assert.deepEqual(read(env), { kind: 'sentinels', sentinels, name: 'queue', db: 2, ...access });
    assert.deepEqual(read({ ...env, REDIS_SENTINEL_PASSWORD: 'watch' }), {
      kind: 'sentinels',
      sentinels,
      name: 'queue',
      db: 2,
      sentinelPassword: 'watch',
      ...access,
    });
  });

  it('name nodes of a Redis Cluster instead of its host, with its user, password and TLS', () => {
    assert.deepEqual(read({ REDIS_URL, REDIS_CLUSTER_NODES: 'a:1,b:2' }), {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      ...access,
    });
  });

  it('are refused with every fault at once', () => {
    assert.deepEqual(
      faultsOf({ REDIS_URL: 'http://cache', REDIS_SENTINELS: 's1', REDIS_CLUSTER_NODES: 'a:1' }),
      [
        'REDIS_URL: not a Redis address (expected redis://host:6379 or rediss://host:6379)',
        'REDIS_SENTINELS: not a list of servers (expected host:port, several separated by commas)',
        'REDIS_SENTINEL_NAME: not set (expected the name of the primary among the sentinels)',
        'REDIS_CLUSTER_NODES: set together with REDIS_SENTINELS (expected one of them)',
      ],
    );
    assert.deepEqual(
      faultsOf({
        REDIS_URL: `${REDIS_URL}/1`,
        REDIS_SENTINEL_NAME: 'queue',
        REDIS_SENTINEL_PASSWORD: 'the-password',
        REDIS_CLUSTER_NODES: ',',
      }),
      [
        'REDIS_URL: names a database, and a Redis Cluster has only database 0 (expected none)',
        'REDIS_SENTINEL_NAME: set without REDIS_SENTINELS (expected both or neither)',
        'REDIS_SENTINEL_PASSWORD: set without REDIS_SENTINELS (expected both or neither)',
        'REDIS_CLUSTER_NODES: not a list of servers (expected host:port, several separated by commas)',
      ],
    );
    assert.deepEqual(faultsOf({}), ['REDIS_URL: not set (expected redis://host:6379 or rediss://host:6379)']);
  });
});
