import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { deferred } from '../test-support/loop-world.ts';
import { createLookScheduler, type LookScheduler } from './look-scheduler.ts';

const dayMs = 86_400_000;

describe('the order of looks at queues', () => {
  let scheduler: LookScheduler | undefined;
  let nowMs: number;
  beforeEach(() => {
    nowMs = 1_000;
    mock.timers.enable({ apis: ['setTimeout'] });
    // Never the same twice, as the real one.
    mock.method(performance, 'now', () => (nowMs += 0.001));
  });
  afterEach(() => {
    scheduler?.stop();
    mock.timers.reset();
    mock.restoreAll();
  });

  /** Timers ring, and all that can follow from it without a further one is done. */
  async function pass(ms: number): Promise<void> {
    nowMs += ms;
    mock.timers.tick(ms);
    await turn();
  }

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
    await turn();
    assert.deepEqual(looked, ['burst', 'b', 'c', 'd', 'burst', 'burst']);
  });

  it('leaves a queue alone until the time that its last look named, unless it is woken', async () => {
    const { scheduler: one } = start();
    let looks = 0;
    const look = one.add({
      look: async () => {
        looks += 1;
        return looks === 1 ? 80 : undefined;
      },
    });
    await turn();
    await pass(79);
    assert.equal(looks, 1, 'none before its time');
    await pass(1);
    assert.equal(looks, 2);
    await pass(dayMs);
    assert.equal(looks, 2, 'none without a time');
    look.within(0);
    assert.equal(looks, 3);
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
    await turn();
    assert.equal(looks, 2);
    looking[1]?.resolve();
  });

  it('keeps others from no look while one hangs, but for as many as may hang at a time', async () => {
    const { scheduler: one, looked } = start(2);
    const hanging = deferred();
    one.add({ look: () => hanging.promise.then(() => undefined) });
    one.add({ look: async () => void looked.push('quick') });
    await turn();
    one.add({ look: () => hanging.promise.then(() => undefined) });
    one.add({ look: async () => void looked.push('late') });
    await pass(dayMs);
    assert.deepEqual(looked, ['quick']);
    hanging.resolve();
    await turn();
    assert.deepEqual(looked, ['quick', 'late']);
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
    await pass(dayMs);
    assert.equal(isOut, false);
    looking.resolve();
    await removed;
    look.within(0);
    await pass(dayMs);
    assert.equal(looks, 1);
    one.stop();
    one.add({ look: async () => void (looks += 1) });
    await pass(dayMs);
    assert.equal(looks, 1);
  });
});
