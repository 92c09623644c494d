import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { setImmediate as afterOthers } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { waitFor } from '@diq/testing/wait-for.ts';
import { cachedReading, createReadingPace } from './memoize.ts';

describe('a cached reading', () => {
  it('is taken once for all who ask while it is under way or fresh', async () => {
    let taken = 0;
    const read = cachedReading(async () => (taken += 1), 60_000);
    assert.deepEqual(await Promise.all([read(), read()]), [1, 1]);
    assert.equal(await read(), 1);
  });

  it('is taken again once it is too old', async () => {
    let taken = 0;
    const read = cachedReading(async () => (taken += 1), 10);
    await read();
    await waitFor(async () => (await read()) > 1, { what: 'a second reading', intervalMs: 2 });
  });

  describe('with a pace', () => {
    let nowMs = 1_000;
    beforeEach(() => {
      mock.method(performance, 'now', () => nowMs);
    });
    afterEach(() => mock.restoreAll());

    it('is given for longer while others have used it up, but not for ever', async () => {
      let taken = 0;
      const pace = createReadingPace(1);
      const read = cachedReading(async () => (taken += 1), 20, pace);
      await read();
      // Within the four to six times of its age.
      nowMs += 79;
      assert.equal(await read(), 1);
      nowMs += 41;
      assert.equal(await read(), 2);
      nowMs += 20;
      assert.equal(await read(), 2);
    });

    it('is given for as long as the pace allows', async () => {
      let taken = 0;
      const read = cachedReading(async () => (taken += 1), 20, createReadingPace(1, 15));
      await read();
      // A fifth less than fifteen times its age.
      nowMs += 239;
      assert.equal(await read(), 1);
      nowMs += 122;
      assert.equal(await read(), 2);
    });

    it('is taken anew at its age as long as others leave something of it', async () => {
      let taken = 0;
      const read = cachedReading(async () => (taken += 1), 20, createReadingPace(2));
      await read();
      nowMs += 19;
      assert.equal(await read(), 1);
      nowMs += 1;
      assert.equal(await read(), 2);
      nowMs += 20;
      assert.equal(await read(), 2);
    });

    it('may be taken again when a second is over', () => {
      const pace = createReadingPace(2);
      assert.deepEqual([pace.take(), pace.take(), pace.take()], [true, true, false]);
      nowMs += 999;
      assert.equal(pace.take(), false);
      nowMs += 1;
      assert.deepEqual([pace.take(), pace.take(), pace.take()], [true, true, false]);
    });
  });

  it('fails for all callers that waited for it and is tried again by the next', async () => {
    let taken = 0;
    const read = cachedReading(async () => {
      taken += 1;
      if (taken === 1) throw new Error('away');
      return taken;
    }, 60_000);
    const both = await Promise.allSettled([read(), read()]);
    assert.deepEqual(
      both.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(await read(), 2);
  });

  it('is not kept in memory when nobody gets it afterwards', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const taken: WeakRef<object>[] = [];
    const read = cachedReading(async () => {
      const text = { text: 'megabytes' };
      taken.push(new WeakRef(text));
      return text;
    }, 0);
    await read();
    // A weak reference holds until the end of the turn in which it was made or asked.
    await afterOthers();
    collectGarbage();
    assert.deepEqual(
      taken.map((reference) => reference.deref()),
      [undefined],
    );
  });
});
