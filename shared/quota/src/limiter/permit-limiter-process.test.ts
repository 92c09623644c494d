import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { usePermitLimiters } from '../test-support/permit-limiters.ts';

const holderMain = new URL('../test-support/permit-holder-main.ts', import.meta.url);

describe('permit limiter of a process that ends', () => {
  const redis = useEmbeddedRedis();
  const limiters = usePermitLimiters();
  const children: ChildProcess[] = [];
  beforeEach('forget all permits', () => redis.flush());
  afterEach('end the other process', () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  it('frees the permits of a killed process when their time is over: at once unspent, one window after an answer, else the lease', async () => {
    const settings = { limit: 3, windowMs: 800, callTimeoutMs: 400, unspentLeaseMs: 300 };
    const { holder, taken, askedAtMs, takenAtMs } = await startHolder(settings);
    assert.equal(taken, 3);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const limiter = await limiters.open(redis.url, settings);
    const { unspentLeaseMs, windowMs, callTimeoutMs } = settings;
    for (const lastsMs of [unspentLeaseMs, windowMs, windowMs + callTimeoutMs]) {
      const permit = await waitFor(() => limiter.tryAcquire(), { what: 'a permit', intervalMs: 5 });
      permit.spent();
      const freedAtMs = Date.now();
      assert.ok(freedAtMs >= askedAtMs + lastsMs, `freed ${freedAtMs - askedAtMs} ms after it was asked for`);
      assert.ok(
        freedAtMs < takenAtMs + lastsMs + 200,
        `freed ${freedAtMs - takenAtMs} ms after it was taken`,
      );
    }
  });

  it('keeps nothing running in a process that closed it with permits out', async () => {
    const { holder, taken } = await startHolder({ limit: 3, windowMs: 3_600_000, callTimeoutMs: 30_000 });
    assert.equal(taken, 3);
    const closedAt = performance.now();
    holder.send('close');
    const [code] = (await once(holder, 'exit')) as [number | null];
    assert.equal(code, 0);
    assert.ok(performance.now() - closedAt < 3_000, 'the process ended by itself');
  });

  it('frees nothing by closing', async () => {
    const settings = { limit: 1, windowMs: 3_600_000, callTimeoutMs: 30_000 };
    const { holder } = await startHolder(settings);
    holder.send('close');
    await once(holder, 'exit');
    const limiter = await limiters.open(redis.url, settings);
    assert.equal(await limiter.tryAcquire(), undefined);
  });

  async function startHolder(settings: {
    limit: number;
    windowMs: number;
    callTimeoutMs: number;
    unspentLeaseMs?: number;
  }) {
    const args = JSON.stringify({ ...settings, url: redis.url, keySpace: limiters.keySpace });
    const holder = fork(holderMain, [args]);
    children.push(holder);
    const [report] = (await once(holder, 'message')) as [
      { taken: number; askedAtMs: number; takenAtMs: number },
    ];
    return { holder, ...report };
  }
});
