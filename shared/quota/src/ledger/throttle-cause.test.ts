import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { ledgerAt } from '../test-support/ledger-at.ts';
import { keySpace } from '../test-support/use-ledger.ts';

/** Of the caller, see `ledgerAt`. */
const windowMs = 100;
const t = 1_000_000;
const memoryWindows = 24;

describe('the cause of a 429', () => {
  const redis = useEmbeddedRedis();
  let at: Awaited<ReturnType<typeof ledgerAt>>;
  let calls = 0;

  beforeEach('empty the ledger', async () => {
    await redis.flush();
    at = await ledgerAt(redis.client, 5);
  });

  /** One call that is answered a millisecond later. @returns the cause of a 429 */
  async function call(atMs: number, outcome: 'started' | 'throttled', stated = ''): Promise<unknown> {
    return answer(atMs + 1, await begin(atMs), outcome, stated);
  }
  async function begin(atMs: number): Promise<string> {
    calls += 1;
    const id = `call-${calls}`;
    const [granted] = await at(atMs, 'spend', id, `task-${calls}`, 'machine', 25, 3_000);
    assert.equal(granted, 'granted');
    return id;
  }
  async function answer(
    atMs: number,
    id: string,
    outcome: 'started' | 'throttled',
    stated = '',
  ): Promise<unknown> {
    const reply = await at(atMs, 'record-answer', id, outcome, '{}', 0, '', '{}', stated);
    return reply[7];
  }
  /** Three calls within one window were taken. The last answer is 21 ms behind `t`. */
  async function proveThree(): Promise<void> {
    for (const n of [0, 1, 2]) await call(t + 10 * n, 'started');
  }
  const lastProofMs = t + 21;

  it('is unclear while nothing is known of the quota', async () => {
    assert.equal(await call(t, 'throttled'), 'unclear');
  });

  it('is external while there are no more calls than Defender once took, wherever in the window they are', async () => {
    await proveThree();
    const later = t + 5 * windowMs;
    assert.equal(await call(later, 'throttled'), 'external');
    await call(later + windowMs + 10, 'started');
    await redis.client.hdel(ledgerKeys(keySpace).estimate, 'limit', 'until');
    assert.equal(await call(later + windowMs + 60, 'throttled'), 'external');
  });

  it('is external where another call goes in the very millisecond in which an earlier one is a window old', async () => {
    for (const [lateMs, cause] of [
      [-1, 'unclear'],
      [0, 'external'],
    ] as const) {
      await redis.flush();
      at = await ledgerAt(redis.client, 5);
      await proveThree();
      const later = t + 5 * windowMs;
      for (const n of [0, 10]) await call(later + n, 'started');
      const asked = await begin(later + windowMs - 1);
      // The first one counts from its answer on, a millisecond after it was made.
      await begin(later + windowMs + 1 + lateMs);
      assert.equal(await answer(later + windowMs + 3, asked, 'throttled'), cause);
    }
  });

  it('is unclear where there are more than Defender once took, but fewer than the limit', async () => {
    await proveThree();
    assert.equal(await call(t + 30, 'throttled'), 'unclear');
  });

  it('is our own use as soon as as many calls were taken before as the answer states, and external before', async () => {
    for (const [quota, cause] of [
      [3, 'own'],
      [4, 'external'],
    ] as const) {
      await redis.flush();
      at = await ledgerAt(redis.client, 5);
      await proveThree();
      assert.equal(await call(t + 30, 'throttled', `${quota}/${windowMs}`), cause);
    }
  });

  it('is judged by what Defender once took for 24 windows, and not a millisecond longer', async () => {
    for (const [lateMs, cause] of [
      [-1, 'external'],
      [0, 'unclear'],
    ] as const) {
      await redis.flush();
      at = await ledgerAt(redis.client, 5);
      await proveThree();
      // Judged when the answer is recorded, a millisecond after the call.
      assert.equal(await call(lastProofMs + memoryWindows * windowMs - 1 + lateMs, 'throttled'), cause);
    }
  });

  it('is remembered anew by each window that proves as much', async () => {
    await proveThree();
    const later = t + 20 * windowMs;
    for (const n of [0, 1, 2]) await call(later + 10 * n, 'started');
    assert.equal(await call(later + 20 * windowMs, 'throttled'), 'external');
  });

  it('is judged by it in a longer window, and not in a shorter one, of which it says nothing', async () => {
    for (const [window, cause] of [
      [2 * windowMs, 'external'],
      [windowMs / 2, 'unclear'],
    ] as const) {
      await redis.flush();
      at = await ledgerAt(redis.client, 5);
      await proveThree();
      at = await ledgerAt(redis.client, 5, window);
      await redis.client.del(ledgerKeys(keySpace).settings);
      assert.equal(await call(t + 10 * windowMs, 'throttled'), cause, `${window} ms`);
    }
  });
});
