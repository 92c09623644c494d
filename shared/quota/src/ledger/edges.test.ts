import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { ledgerAt } from '../test-support/ledger-at.ts';
import { keySpace } from '../test-support/use-ledger.ts';

const keys = ledgerKeys(keySpace);
const windowMs = 100;
const timeoutMs = 10;
/** A time in ms, like those of Redis. */
const t = 1_700_000_000_000;

/** What happens at the last millisecond before a time, and at the time itself. */
describe('ledger at the edge of a millisecond', () => {
  const redis = useEmbeddedRedis();
  let at: Awaited<ReturnType<typeof ledgerAt>>;
  beforeEach('empty the ledger', async () => {
    await redis.flush();
    at = await ledgerAt(redis.client);
  });

  const spend = (atMs: number, n = 1, task = n) =>
    at(atMs, 'spend', `call-${n}`, `task-${task}`, 'machine', 25, 3_000);
  const answer = (atMs: number, outcome = 'started', mayRepeat = 0) =>
    at(atMs, 'record-answer', 'call-1', outcome, '{}', mayRepeat, '', '{}', '', '');
  const used = async (atMs: number) => ((await at(atMs, 'snapshot', '', 100, ''))[3] as unknown[]).length / 2;

  const limits = async (atMs: number) => (await at(atMs, 'snapshot', '', 100, ''))[1] as number[][];

  it('counts an answered call until one whole window after it, and not a millisecond longer', async () => {
    await spend(t);
    await answer(t + 5);
    assert.deepEqual(await spend(t + 5 + windowMs - 1, 2), ['full', t + 5 + windowMs, t + 104, 'quota']);
    assert.equal(await used(t + 5 + windowMs - 1), 1);
    assert.equal(await used(t + 5 + windowMs), 0);
    assert.equal((await spend(t + 5 + windowMs, 2))[0], 'granted');
  });

  it('counts a call without an answer from the moment by which it must have been given up', async () => {
    await spend(t);
    assert.equal((await spend(t + timeoutMs + windowMs - 1, 2))[0], 'full');
    assert.equal((await spend(t + timeoutMs + windowMs, 2))[0], 'granted');
  });

  it('counts an answer that comes after that moment from the moment on', async () => {
    await spend(t);
    await answer(t + timeoutMs + 1);
    assert.equal((await spend(t + timeoutMs + windowMs, 2))[0], 'granted');
  });

  it('rounds what it records up, and what it compares down', async () => {
    const [, spentAt] = await spend(t + 0.001);
    assert.equal(spentAt, t + 1);
    await answer(t + 2.001);
    assert.equal((await spend(t + 2.999 + windowMs, 2))[0], 'full');
    assert.equal((await spend(t + 3 + windowMs, 2))[0], 'granted');
  });

  it('records a whole millisecond as it is', async () => {
    assert.equal((await spend(t))[1], t);
  });

  it('is held until the end of a hold, and free at its end', async () => {
    await redis.client.hset(keys.holds, 'paused', t);
    assert.deepEqual(await spend(t - 1), ['held', t, t - 1, 'paused']);
    assert.deepEqual((await at(t - 1, 'snapshot', '', 100, ''))[2], ['paused', t]);
    assert.deepEqual((await at(t, 'snapshot', '', 100, ''))[2], []);
    const [kind, , , freeSince] = await spend(t);
    assert.deepEqual([kind, freeSince], ['granted', t]);
  });

  it('returns since when the slot that a call took was free: never used, opened, or held back', async () => {
    at = await ledgerAt(redis.client, 2);
    const freeSince = async (atMs: number, n: number) => (await spend(atMs, n))[3];
    const answered = (atMs: number, n: number) =>
      at(atMs, 'record-answer', `call-${n}`, 'started', '{}', 0, '', '{}', '', '');
    assert.equal(await freeSince(t, 1), 0);
    await answered(t + 1, 1);
    assert.equal(await freeSince(t + 1 + windowMs, 2), 0, 'the other slot, never used');
    await answered(t + 2 + windowMs, 2);
    const both = t + 2 + 2 * windowMs;
    assert.equal(await freeSince(both, 3), t + 1 + windowMs, 'the slot that opened first');
    await redis.client.hset(keys.holds, 'paused', both + 5);
    assert.equal(await freeSince(both + 7, 4), both + 5, 'held back after it had opened');
  });

  it('keeps to the lower limit during foreign use until its end, and not a millisecond longer', async () => {
    at = await ledgerAt(redis.client, 2);
    await redis.client.hset(keys.estimate, windowMs, `1/${t}`);
    assert.deepEqual(await limits(t - 1), [[windowMs, 2, 0, 0, 1, t, 0, 0]]);
    assert.deepEqual(await limits(t), [[windowMs, 2, 0, 0, 0, 0, 0, 0]]);
  });

  it('keeps a setting in force for the longest window and its call timeout after it was declared', async () => {
    await redis.client.hset(keys.settings, `1/1000/${timeoutMs}`, t);
    const windows = async (atMs: number) => (await limits(atMs)).map(([window]) => window);
    assert.deepEqual(await windows(t + 1_000 + timeoutMs - 1), [1_000]);
    assert.deepEqual(await windows(t + 1_000 + timeoutMs), [windowMs]);
  });

  it('drops a call once it is 25 windows and one old, with the intent that stands for it', async () => {
    await spend(t);
    await answer(t);
    await spend(t + 26 * windowMs - 1, 2);
    assert.deepEqual((await redis.client.hkeys(keys.intents)).toSorted(), ['task-1', 'task-2']);
    await at(t + 26 * windowMs, 'give-back', 'call-2', 'unsent');
    await spend(t + 26 * windowMs, 3);
    assert.deepEqual(await redis.client.hkeys(keys.intents), ['task-3']);
    assert.deepEqual(await redis.client.hkeys(keys.entries), ['call-3']);
    assert.deepEqual(await redis.client.zrange(keys.calls, 0, '-1'), ['call-3']);
  });

  it('lets a call that is over stand for its task until it is dropped, unless another may follow', async () => {
    await spend(t);
    await answer(t);
    assert.equal((await spend(t + 25 * windowMs, 2, 1))[0], 'spent');
    await at(t, 'give-back', 'call-1', 'repeat');
    assert.equal((await spend(t + 25 * windowMs, 2, 1))[0], 'granted');
  });

  it('does not let a call be repeated that is still in flight', async () => {
    await spend(t);
    assert.equal(Number(await at(t, 'give-back', 'call-1', 'repeat')), 0);
    assert.equal((await spend(t + windowMs + timeoutMs, 2, 1))[0], 'spent');
  });

  it('misses a call of the caller’s own for as long as it counts, and not a millisecond longer', async () => {
    const missing = ['lost-call', t];
    const ask = (atMs: number) => at(atMs, 'spend', 'call-1', 'task-1', 'machine', 25, 3_000, ...missing);
    assert.deepEqual(await ask(t + windowMs - 1), ['lost', t + windowMs - 1]);
    assert.equal((await ask(t + windowMs))[0], 'granted');
  });

  it('takes no call for doubtful that was spent after the least time of a handover', async () => {
    await redis.client.hset(keys.generation, 'handoverAt', t);
    await spend(t + 3_000);
    assert.equal((await spend(t + 3_000, 2, 1))[3], 1);
    await at(t + 3_000, 'give-back', 'call-1', 'unsent');
    await spend(t + 3_001);
    assert.equal((await spend(t + 3_001, 2, 1))[3], 0);
  });
});
