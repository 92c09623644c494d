import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createIdempotencyStore } from './idempotency-store.ts';
import type { IdempotencyState } from './idempotency-store.ts';

const keepMs = 60_000;
const atMs = 1_769_256_000_000;

describe('an idempotency key', () => {
  const redis = useEmbeddedRedis();
  beforeEach(() => redis.flush());
  const open = (leaseMs = 60_000) =>
    createIdempotencyStore(redis.client, 'test:{queue}', { leaseMs, keepMs });

  function claimed(state: IdempotencyState) {
    assert.ok(state.kind === 'claimed', state.kind);
    return state;
  }

  it('is taken by one attempt at a time', async () => {
    const store = open();
    const [one, other] = [store.attempt('key'), store.attempt('key')];
    assert.equal(claimed(await one.claim('digest', atMs)).isRepeat, false);
    assert.deepEqual(await other.claim('digest', atMs), { kind: 'in-flight' });
    await other.release();
    await other.forget();
    assert.deepEqual(
      await other.claim('digest', atMs),
      { kind: 'in-flight' },
      'it was not the other’s to release',
    );
  });

  it('answers an attempt whose claim was sent twice the same way', async () => {
    const attempt = open().attempt('key');
    const first = claimed(await attempt.claim('digest', atMs));
    const again = claimed(await attempt.claim('digest', atMs));
    assert.deepEqual([again.seed, again.atMs], [first.seed, first.atMs]);
  });

  it('gives the next attempt seed and time of the one that broke off', async () => {
    const store = open();
    const first = store.attempt('key');
    const { seed } = claimed(await first.claim('digest', atMs));
    await first.release();
    const next = claimed(await store.attempt('key').claim('digest', atMs + 5_000));
    assert.deepEqual(next, { kind: 'claimed', seed, atMs, isRepeat: true });
  });

  it('is free again when an attempt died, and not while one is renewed', async () => {
    const store = open(100);
    const [dying, next] = [store.attempt('key'), store.attempt('key')];
    const { seed } = claimed(await dying.claim('digest', atMs));
    const endMs = performance.now() + 300;
    while (performance.now() < endMs) {
      // Sent together: nothing that holds this process up comes between them.
      const [, state] = await Promise.all([dying.renew(), next.claim('digest', atMs)]);
      assert.equal(state.kind, 'in-flight');
    }
    const taken = await waitFor(
      async () => {
        const state = await next.claim('digest', atMs);
        return state.kind === 'claimed' && state;
      },
      { what: 'the lease to end' },
    );
    assert.deepEqual([taken.seed, taken.isRepeat], [seed, true]);
  });

  it('gives its answer to every repeat, byte for byte, and stands for one request only', async () => {
    const store = open();
    const attempt = store.attempt('key');
    await attempt.claim('digest', atMs);
    const answer = Buffer.from([0, 255, 10, 13, 128, 0]);
    await attempt.store(answer);
    assert.deepEqual(await store.attempt('key').claim('digest', atMs), { kind: 'answered', answer });
    assert.deepEqual(await store.attempt('key').claim('other', atMs), { kind: 'reused' });
    assert.equal((await store.attempt('other key').claim('other', atMs)).kind, 'claimed');
    const [name = ''] = await redis.client.keys('*:idempotency:key');
    const endsInMs = await redis.client.pttl(name);
    assert.ok(endsInMs > keepMs - 5_000 && endsInMs <= keepMs);
  });

  it('stands for its request while the attempt is under way and after it broke off', async () => {
    const store = open();
    const attempt = store.attempt('key');
    await attempt.claim('digest', atMs);
    assert.deepEqual(await store.attempt('key').claim('other', atMs), { kind: 'reused' });
    await attempt.release();
    assert.deepEqual(await store.attempt('key').claim('other', atMs), { kind: 'reused' });
  });

  it('keeps the first of two answers, when an attempt taken for dead was not', async () => {
    const store = open(1);
    const [slow, next] = [store.attempt('key'), store.attempt('key')];
    await slow.claim('digest', atMs);
    await waitFor(async () => (await next.claim('digest', atMs)).kind === 'claimed', {
      what: 'the lease to end',
    });
    await slow.store(Buffer.from('first'));
    await next.store(Buffer.from('second'));
    const state = await store.attempt('key').claim('digest', atMs);
    assert.deepEqual(state, { kind: 'answered', answer: Buffer.from('first') });
  });

  it('is free for any request once it was forgotten', async () => {
    const store = open();
    const attempt = store.attempt('key');
    await attempt.claim('digest', atMs);
    await attempt.forget();
    assert.deepEqual(await redis.client.keys('*'), []);
    assert.equal(claimed(await store.attempt('key').claim('other', atMs)).isRepeat, false);
  });
});
