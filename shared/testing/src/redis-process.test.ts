import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { requireRedisServer, startRedisServer } from './redis-process.ts';

async function ask<T>(url: string, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { retryStrategy: null });
  redis.on('error', () => undefined);
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a private redis-server', () => {
  before(requireRedisServer);

  it('keeps every acknowledged write through SIGKILL and restart when it is append-only', async () => {
    const server = await startRedisServer({ appendOnly: true });
    await ask(server.url, (redis) => redis.set('kept', 'yes'));
    const firstPid = server.pid;
    await server.kill('SIGKILL');
    await server.restart();
    assert.notEqual(server.pid, firstPid);
    assert.equal(await ask(server.url, (redis) => redis.get('kept')), 'yes');
    await server.stop();
  });

  it('starts empty again when it is not', async () => {
    const server = await startRedisServer();
    await ask(server.url, (redis) => redis.set('kept', 'yes'));
    await server.restart();
    assert.equal(await ask(server.url, (redis) => redis.get('kept')), null);
    await server.stop();
  });

  it('leaves neither process nor directory behind', async () => {
    const server = await startRedisServer();
    const { pid, dir } = server;
    assert.ok(isRunning(pid) && existsSync(dir));
    await server.kill('SIGSTOP');
    await server.stop();
    assert.ok(!isRunning(pid) && !existsSync(dir));
    await server.stop();
  });

  it('leaves alone a directory that was handed in', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'diq-redis-given-'));
    const server = await startRedisServer({ dir, appendOnly: true });
    await server.stop();
    assert.ok(existsSync(dir));
    await rm(dir, { recursive: true });
  });

  it('can run beside another, each with its own data', async () => {
    const [one, other] = await Promise.all([startRedisServer(), startRedisServer()]);
    await ask(one.url, (redis) => redis.set('mine', '1'));
    assert.equal(await ask(other.url, (redis) => redis.get('mine')), null);
    await Promise.all([one.stop(), other.stop()]);
  });

  it('tells what it wrote when it cannot start', async () => {
    const server = await startRedisServer();
    await assert.rejects(startRedisServer({ port: server.port }), /did not start:[^]*Address already in use/);
    await server.stop();
  });
});
