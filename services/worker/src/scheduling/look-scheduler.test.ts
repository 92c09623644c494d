import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '@diq/testing/wait-for.ts';
import { deferred } from '../test-support/loop-world.ts';
import { createLookScheduler, type LookScheduler } from './look-scheduler.ts';

describe('the order of looks at queues', () => {
  let scheduler: LookScheduler | undefined;
  afterEach(() => scheduler?.stop());

  function start(atOnce?: number): { scheduler: LookScheduler; looked: string[] } {
    scheduler = createLookScheduler(atOnce === undefined ? {} : { atOnce });
    return { scheduler, looked: [] };
  }

  it('is that in which they became due, and a queue with more to do stands behind all others', async () => {
    const { scheduler: one, looked } = start(1);
    const others = ['b', 'c', 'd'];
    const blocked = deferred();
    one.add({ look: () => blocked.promise.then(() => undefined) });
    let left = 3;
    one.add({
      look: async () => {
        looked.push('burst');
        left -= 1;
        return left > 0 ? 0 : undefined;
      },
    });
    for (const name of others) one.add({ look: async () => void looked.push(name) });
    blocked.resolve();
    await waitFor(() => looked.length === 6, { what: 'all looks', intervalMs: 1 });
    assert.deepEqual(looked, ['burst', 'b', 'c', 'd', 'burst', 'burst']);
  });

  it('leaves a queue alone until the time that its last look named, unless it is woken', async () => {
    const { scheduler: one } = start();
    const atMs: number[] = [];
    const look = one.add({
      look: async () => {
        atMs.push(performance.now());
        return atMs.length === 1 ? 80 : undefined;
      },
    });
    await waitFor(() => atMs.length === 2, { what: 'the second look', intervalMs: 1 });
    assert.ok(atMs[1]! - atMs[0]! >= 79, `${atMs[1]! - atMs[0]!} ms`);
    await delay(30);
    assert.equal(atMs.length, 2, 'none without a time');
    look.within(0);
    assert.equal(atMs.length, 3);
  });

  it('looks again at what was woken during its look: what that saw is out of date', async () => {
    const { scheduler: one } = start();
    const looking = [deferred(), deferred()];
    let looks = 0;
    const look = one.add({
      look: async () => {
        await looking[looks++]?.promise;
        return undefined;
      },
    });
    look.within(0);
    assert.equal(looks, 1, 'never twice at a time');
    looking[0]?.resolve();
    await waitFor(() => looks === 2, { what: 'the second look', intervalMs: 1 });
    looking[1]?.resolve();
  });

  it('keeps others from no look while one hangs, but for as many as may hang at a time', async () => {
    const { scheduler: one, looked } = start(2);
    const hanging = deferred();
    one.add({ look: () => hanging.promise.then(() => undefined) });
    one.add({ look: async () => void looked.push('quick') });
    await waitFor(() => looked.length === 1, { what: 'the other look', intervalMs: 1 });
    one.add({ look: () => hanging.promise.then(() => undefined) });
    one.add({ look: async () => void looked.push('late') });
    await delay(20);
    assert.deepEqual(looked, ['quick']);
    hanging.resolve();
    await waitFor(() => looked.length === 2, { what: 'the last one', intervalMs: 1 });
  });

  it('takes a queue out when its look is over, and looks at none once it is stopped', async () => {
    const { scheduler: one } = start();
    const looking = deferred();
    let looks = 0;
    const look = one.add({
      look: async () => {
        looks += 1;
        await looking.promise;
        return 0;
      },
    });
    let isOut = false;
    const removed = look.remove().then(() => (isOut = true));
    await delay(5);
    assert.equal(isOut, false);
    looking.resolve();
    await removed;
    look.within(0);
    await delay(5);
    assert.equal(looks, 1);
    one.stop();
    one.add({ look: async () => void (looks += 1) });
    await delay(5);
    assert.equal(looks, 1);
  });
});
