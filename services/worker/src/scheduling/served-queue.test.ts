import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { captureLog } from '../test-support/capture-log.ts';
import { createLookScheduler } from './look-scheduler.ts';
import type { AfterLook } from './queue-looks.ts';
import { createServedQueue } from './served-queue.ts';

describe('a served queue whose other workers call', () => {
  let nowMs: number;
  let scheduler: ReturnType<typeof createLookScheduler>;
  beforeEach(() => {
    nowMs = 1_000;
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(performance, 'now', () => nowMs);
    scheduler = createLookScheduler();
  });
  afterEach(() => {
    scheduler.stop();
    mock.timers.reset();
    mock.restoreAll();
  });

  async function pass(ms: number): Promise<void> {
    nowMs += ms;
    mock.timers.tick(ms);
    await turn();
  }

  const again: AfterLook = { kind: 'again', waitMs: 100 };

  async function open({ after = again, yieldsMs = 0, blockedMs = 0 } = {}) {
    const seen = { looks: 0, follows: 0, others: 0 };
    const queue = createServedQueue({
      name: 'contoso/initiateInvestigation',
      scheduler,
      open: async () => ({
        async look() {
          seen.looks += 1;
          return after;
        },
        async follow() {
          seen.follows += 1;
          return after;
        },
        reconnected: () => undefined,
        blockedForMs: () => blockedMs,
        othersCalled: () => void (seen.others += 1),
        yieldsMs: () => yieldsMs,
        stalledForMs: () => 0,
        close: async () => undefined,
      }),
      logger: captureLog().logger,
      outages: { failed: (error) => assert.fail(String(error)) },
    });
    await queue.open();
    await pass(0);
    assert.equal(seen.looks, 1);
    return { queue, seen };
  }

  it('reads half a second after a call what the other recorded, and leaves the slot that it took to it', async () => {
    const { queue, seen } = await open();
    await pass(50);
    queue.wake('call');
    await pass(499);
    assert.deepEqual(seen, { looks: 1, follows: 0, others: 1 });
    await pass(1);
    assert.equal(seen.looks, 2);
  });

  it('reads a second after the first of many at the latest', async () => {
    const { queue, seen } = await open();
    for (let i = 0; i < 10; i += 1) {
      queue.wake('call');
      await pass(99);
    }
    assert.equal(seen.looks, 1);
    await pass(10);
    assert.equal(seen.looks, 2);
  });

  it('reads also where nothing was left to be done', async () => {
    const { queue, seen } = await open({ after: { kind: 'rest' } });
    await pass(60_000);
    assert.equal(seen.looks, 1);
    queue.wake('call');
    assert.equal(queue.isLeftAlone(), false);
    await pass(500);
    assert.equal(seen.looks, 2);
  });

  it('leaves a request that arrives to the worker that made the last call, for a moment', async () => {
    const { queue, seen } = await open({ after: { kind: 'again', waitMs: 3_600_000 }, yieldsMs: 50 });
    await pass(1_000);
    queue.wake('work');
    await pass(49);
    assert.equal(seen.looks, 1);
    await pass(1);
    assert.equal(seen.looks, 2);
  });

  it('looks at a request that arrives before the slot when that opens, and not at each of them', async () => {
    const after = { kind: 'again', waitMs: 5_000 } as const;
    const { queue, seen } = await open({ after, blockedMs: 300 });
    queue.wake('work');
    await pass(299);
    assert.equal(seen.looks, 1);
    await pass(1);
    assert.equal(seen.looks, 2);
    const { queue: busy, seen: seenOfBusy } = await open({ after, blockedMs: Infinity });
    busy.wake('work');
    await pass(4_999);
    assert.equal(seenOfBusy.looks, 1);
  });

  it('rests until the next read of a result is due, which the sweep leaves to it', async () => {
    const { queue, seen } = await open({ after: { kind: 'rest', dueMs: 30_000 } });
    assert.deepEqual([queue.isLeftAlone(), queue.awaitsResult()], [true, true]);
    await pass(29_999);
    assert.deepEqual([seen.looks, seen.follows], [1, 0]);
    await pass(1);
    // The queue itself is left alone: nothing of it is read for that.
    assert.deepEqual([seen.looks, seen.follows], [1, 1]);
    assert.deepEqual([queue.isLeftAlone(), queue.awaitsResult()], [true, true]);
    queue.wake('work');
    await pass(30_000);
    assert.deepEqual([seen.looks, seen.follows], [2, 1]);
    const { queue: empty } = await open({ after: { kind: 'rest' } });
    assert.deepEqual([empty.isLeftAlone(), empty.awaitsResult()], [true, false]);
  });

  it('looks once after several calls that end together', async () => {
    const { queue, seen } = await open({ after: { kind: 'again', waitMs: 3_600_000 } });
    for (let i = 0; i < 3; i += 1) {
      queue.again();
      await pass(5);
    }
    assert.equal(seen.looks, 1);
    await pass(5);
    assert.equal(seen.looks, 2);
  });

  it('looks at once when a hold is ended, and when messages may have been lost', async () => {
    const { queue, seen } = await open({ after: { kind: 'again', waitMs: 3_600_000 }, yieldsMs: 50 });
    await pass(1_000);
    queue.wake('free');
    await pass(0);
    assert.equal(seen.looks, 2);
    queue.missedWakes(7);
    await pass(7);
    assert.equal(seen.looks, 3);
  });
});

describe('a queue that is stopped while it is opened', () => {
  function begin() {
    const scheduler = createLookScheduler();
    let endOpening = (): void => undefined;
    const opening = new Promise<void>((resolve) => (endOpening = resolve));
    const seen: string[] = [];
    const look = async (): Promise<AfterLook> => (seen.push('look'), { kind: 'again', waitMs: 100 });
    const queue = createServedQueue({
      name: 'contoso/initiateInvestigation',
      scheduler,
      async open() {
        await opening;
        seen.push('open');
        return {
          look,
          follow: look,
          reconnected: () => undefined,
          blockedForMs: () => 0,
          othersCalled: () => undefined,
          yieldsMs: () => 0,
          stalledForMs: () => 0,
          close: async () => void seen.push('closed'),
        };
      },
      logger: captureLog().logger,
      outages: { failed: (error) => assert.fail(String(error)) },
    });
    queue.attend();
    const stopped = queue.stop();
    scheduler.stop();
    return { stopped, seen, endOpening };
  }

  afterEach(() => mock.timers.reset());

  it('is closed at once, and no look is made at it', async () => {
    const { stopped, seen, endOpening } = begin();
    endOpening();
    await stopped;
    assert.deepEqual(seen, ['open', 'closed']);
  });

  it('is closed likewise when that takes longer than the stop waits', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const { stopped, seen, endOpening } = begin();
    mock.timers.runAll();
    await stopped;
    endOpening();
    await turn();
    assert.deepEqual(seen, ['open', 'closed']);
  });
});
