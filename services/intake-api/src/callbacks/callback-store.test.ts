import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { callbackHostKeys, storeKeys } from '@diq/queue/store-keys.ts';
import { redisNowMs, untilRedisIsPast } from '@diq/testing/redis-clock.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createCallbackStore, type CallbackSource, type CallbackStore } from './callback-store.ts';

const keySpace = 'test:{callbacks}';
const keys = storeKeys(keySpace);
const source = (client: Redis) => ({ keySpace, reader: createRequestReader(client, keySpace) });

describe('the store of callbacks', () => {
  const redis = useEmbeddedRedis();
  beforeEach(() => redis.flush());

  function open(rate = { limit: 5, windowMs: 400 }): CallbackStore {
    const { client } = redis;
    return createCallbackStore({
      redis: client,
      keySpace,
      sourceOf: () => source(client),
      rate,
    });
  }

  /** Comes back when its turn is, as a job does; gives the time of Redis at which it may call. */
  async function call(
    store: CallbackStore,
    name: string,
    { host = 'soar.example', caller = '' } = {},
  ): Promise<number> {
    for (;;) {
      const waitMs = await store.takeTurn(host, name, 0, caller);
      if (waitMs === 0) {
        const calls = await redis.client.zrange(callbackHostKeys(keySpace, host).calls, 0, '-1');
        const [, seconds, microseconds] =
          calls.find((entry) => entry.startsWith(`${name}:`))?.split(':') ?? [];
        return Math.floor(Number(seconds) * 1_000 + Number(microseconds) / 1_000);
      }
      // Real time is what is tested here: a job comes back by a clock of its own, and that of Redis decides.
      await delay(waitMs);
    }
  }

  describe('the rate of a host', () => {
    it('is never above the limit in any rolling window, with any number of intakes, and not far below it', async () => {
      const stores = [open(), open()];
      const names = Array.from({ length: 23 }, (_, n) => `request-${n}`);
      const startedAtMs = performance.now();
      const atMs = await Promise.all(names.map((name, n) => call(stores[n % 2]!, name)));
      const elapsedMs = performance.now() - startedAtMs;
      assert.ok(atMs.every(Number.isFinite));
      const sorted = atMs.toSorted((a, b) => a - b);
      for (const [i, first] of sorted.entries()) {
        const sixth = sorted[i + 5];
        if (sixth !== undefined) assert.ok(sixth - first >= 400, `6 calls within ${sixth - first} ms`);
      }
      // 5 at once, then one every 80 ms.
      assert.ok(elapsedMs < 4_000, `${elapsedMs} ms`);
    });

    it('gives each that waits a turn of its own, in the order in which they came', async () => {
      const store = open({ limit: 2, windowMs: 60_000 });
      const waits: number[] = [];
      for (let n = 0; n < 6; n += 1) waits.push(await store.takeTurn('soar.example', `request-${n}`, 0));
      assert.deepEqual(waits.slice(0, 2), [0, 0]);
      const [third = 0, ...later] = waits.slice(2);
      assert.ok(third > 59_000 && third <= 60_001, `${third}`);
      assert.ok(
        later.every((wait, i) => Math.abs(wait - third - (i + 1) * 30_000) < 1_000),
        later.join(),
      );
      const again = await store.takeTurn('soar.example', 'request-3', 0);
      assert.ok(
        Math.abs(again - (later[0] ?? 0)) < 1_000,
        'a turn stays the same when it is asked for again',
      );
    });

    it('lets callers take turns: one that comes behind hundreds of another goes next', async () => {
      const store = open({ limit: 2, windowMs: 60_000 });
      for (let n = 0; n < 300; n += 1) await store.takeTurn('soar.example', `many-${n}`, 0, 'many');
      const [first, second] = [
        await store.takeTurn('soar.example', 'few-0', 0, 'few'),
        await store.takeTurn('soar.example', 'few-1', 0, 'few'),
      ];
      assert.ok(first <= 60_001, `${first} ms`);
      assert.ok(second <= 90_002, `${second} ms`);
    });

    it('is shared by callers whose turns are the same, without being passed or left unused', async () => {
      const [one, other] = [open({ limit: 2, windowMs: 200 }), open({ limit: 2, windowMs: 200 })];
      const done: string[] = [];
      const startedAtMs = performance.now();
      const callAs = async (store: CallbackStore, caller: string, n: number) => {
        await call(store, `${caller}-${n}`, { caller });
        done.push(caller);
      };
      const many = Array.from({ length: 24 }, (_, n) => callAs(one, 'many', n));
      await Promise.all(many.slice(0, 2));
      const few = Array.from({ length: 4 }, (_, n) => callAs(other, 'few', n));
      await Promise.all(few);
      const behind = done.filter((caller) => caller === 'many').length;
      assert.ok(behind <= 10, `${behind} of the other's were served before the last of four`);
      await Promise.all(many);
      const elapsedMs = performance.now() - startedAtMs;
      // 28 calls, one each 100 ms.
      assert.ok(elapsedMs < 6_000, `${elapsedMs} ms`);
    });

    it('lets the caller go first that was served less lately, where two have the same turn', async () => {
      const store = open({ limit: 1, windowMs: 150 });
      const ask = (name: string, caller: string) => store.takeTurn('soar.example', name, 0, caller);
      assert.equal(await ask('many-0', 'many'), 0);
      const waits = [await ask('many-1', 'many'), await ask('few-0', 'few')];
      await untilRedisIsPast(redis.client, (await redisNowMs(redis.client)) + Math.max(...waits));
      assert.ok((await ask('many-1', 'many')) > 0, 'it was served just before');
      assert.equal(await ask('few-0', 'few'), 0);
      await call(store, 'many-1', { caller: 'many' });
    });

    it('does not wait for a caller whose callback does not come', async () => {
      const store = open({ limit: 1, windowMs: 100 });
      await store.takeTurn('soar.example', 'a', 0, 'one');
      await store.takeTurn('soar.example', 'gone', 0, 'other');
      for (let n = 0; n < 3; n += 1) await call(store, `b-${n}`, { caller: 'one' });
    });

    it('holds up no other host', async () => {
      const store = open({ limit: 1, windowMs: 60_000 });
      assert.equal(await store.takeTurn('soar.example', 'a', 0), 0);
      assert.ok((await store.takeTurn('soar.example', 'b', 0)) > 0);
      assert.equal(await store.takeTurn('other.example', 'c', 0), 0);
    });

    it('is not used up by one that steps back because its host is busy', async () => {
      const store = open({ limit: 1, windowMs: 60_000 });
      assert.equal(await store.takeTurn('soar.example', 'a', 30), 30);
      assert.equal(await redis.client.zcard(callbackHostKeys(keySpace, 'soar.example').calls), 0);
      await call(store, 'a');
      assert.equal(await redis.client.zcard(callbackHostKeys(keySpace, 'soar.example').calls), 1);
    });

    it('leaves nothing behind in Redis when no callbacks are due any more', async () => {
      const store = open({ limit: 1, windowMs: 50 });
      await call(store, 'a');
      await call(store, 'b');
      await waitFor(async () => (await redis.client.keys('*')).length === 0, { what: 'the last key to go' });
    });
  });

  describe('what is due', () => {
    const own = { keySpace, reader: {} as CallbackSource['reader'] };

    it('is taken by one intake at a time, in order', async () => {
      const store = open();
      await redis.client.rpush(keys.callbacksDue, 'a', 'b', 'batch:c');
      const first = await store.takeDue(own, 2, 60_000);
      const second = await store.takeDue(own, 2, 60_000);
      assert.deepEqual([first.entries, second.entries], [['a', 'b'], ['batch:c']]);
      assert.equal(await store.countDue(own), 3);
      await store.endMove(own, first);
      await store.endMove(own, second);
      assert.equal(await store.countDue(own), 0);
    });

    it('is taken again when the intake that had it died, and is then not ended by the dead one', async () => {
      const store = open();
      await redis.client.rpush(keys.callbacksDue, 'a');
      const dead = await store.takeDue(own, 10, 1);
      const other = await waitFor(
        async () => {
          const taken = await store.takeDue(own, 10, 60_000);
          return taken.entries.length > 0 && taken;
        },
        { what: 'the hold of the dead one to end', intervalMs: 1 },
      );
      assert.deepEqual(other.entries, ['a']);
      await store.endMove(own, dead);
      assert.equal(await store.countDue(own), 1);
      await store.endMove(own, other);
      assert.equal(await store.countDue(own), 0);
    });
  });

  it('brings nothing back whose retention is over', async () => {
    const delivery = { about: 'started', attempts: 1, firstAttemptAtMs: 1, lastAttemptAtMs: 1 };
    await open().record({ kind: 'request', id: 'gone' }, { ...delivery, state: 'delivered' });
    assert.deepEqual(await redis.client.keys('*'), []);
  });
});
