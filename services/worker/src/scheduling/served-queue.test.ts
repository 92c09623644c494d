import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ReplyError } from 'ioredis';
import { LayoutError } from '@diq/queue/layout.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { createIdleQueues } from './idle-queues.ts';
import { createLookScheduler, type LookScheduler } from './look-scheduler.ts';
import type { AfterLook } from './queue-looks.ts';
import { createServedQueue, type LetGoQueue, type OpenedQueue } from './served-queue.ts';

const name = 'contoso/initiateInvestigation';
const again: AfterLook = { kind: 'again', waitMs: 100 };
const look = async (): Promise<AfterLook> => again;

/** An open queue of which every look shows the same. */
const opened: OpenedQueue = {
  look,
  follow: look,
  reconnected: () => undefined,
  blockedForMs: () => 0,
  othersCalled: () => undefined,
  yieldsMs: () => 0,
  stalledForMs: () => 0,
  isRebuilding: () => false,
  letGo: () => assert.fail('it was let go'),
  close: async () => undefined,
};

function useScheduler() {
  let nowMs: number;
  let scheduler: LookScheduler;
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
  return {
    options: () => ({
      name,
      scheduler,
      idle: createIdleQueues(Infinity),
      logger: captureLog().logger,
      outages: { failed: (error: unknown) => assert.fail(String(error)) },
    }),
    async pass(ms: number): Promise<void> {
      nowMs += ms;
      mock.timers.tick(ms);
      await turn();
    },
  };
}

describe('a served queue whose other workers call', () => {
  const { options, pass } = useScheduler();

  async function open({ after = again, yieldsMs = 0, blockedMs = 0 } = {}) {
    const seen = { looks: 0, follows: 0, others: 0 };
    const queue = createServedQueue({
      ...options(),
      open: async () => ({
        ...opened,
        async look() {
          seen.looks += 1;
          return after;
        },
        async follow() {
          seen.follows += 1;
          return after;
        },
        blockedForMs: () => blockedMs,
        othersCalled: () => void (seen.others += 1),
        yieldsMs: () => yieldsMs,
      }),
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

describe('a queue that rests while too many do', () => {
  const { options, pass } = useScheduler();
  const layoutError = new LayoutError('diq:{contoso}', 99);

  const rest: AfterLook = { kind: 'rest' };

  async function open({ after = rest, isRebuilding = false, most = 0 } = {}) {
    const seen: string[] = [];
    const held = { after, look: Promise.resolve(), reopening: Promise.resolve(), tries: 0 };
    const openOf = (how: string): OpenedQueue => {
      seen.push(how);
      return {
        ...opened,
        look: () => (seen.push('look'), held.look.then(() => held.after)),
        follow: async () => (seen.push('follow'), held.after),
        reconnected: () => void seen.push('reconnected'),
        othersCalled: () => void seen.push('others called'),
        isRebuilding: () => isRebuilding,
        letGo(): LetGoQueue {
          seen.push('let go');
          const leave = async () => void seen.push('left');
          const reopen = () => {
            held.tries += 1;
            return held.reopening.then(() => openOf('open again'));
          };
          return { leave, open: reopen };
        },
        close: async () => void seen.push('closed'),
      };
    };
    const idle = createIdleQueues(most);
    const outages = { failed: () => undefined };
    const queue = createServedQueue({ ...options(), idle, outages, open: async () => openOf('open') });
    queue.attend();
    await pass(0);
    return { queue, seen, held, idle };
  }

  it('is let go, and opened with what it knew when there is work', async () => {
    const { queue, seen } = await open();
    await pass(600_000);
    assert.deepEqual(seen, ['open', 'look', 'let go']);
    assert.deepEqual([queue.isLeftAlone(), queue.hasLedger()], [true, true]);
    queue.wake('work');
    await pass(0);
    assert.deepEqual(seen.slice(3), ['open again', 'look', 'let go']);
  });

  it('is opened also to remember what another worker called, and after a new connection', async () => {
    const { queue, seen } = await open();
    queue.wake('call');
    await pass(499);
    assert.deepEqual(seen.length, 3);
    await pass(1);
    assert.deepEqual(seen.slice(3), ['open again', 'look', 'let go']);
    queue.reconnected(7);
    await pass(7);
    assert.deepEqual(seen.slice(6), ['open again', 'look', 'let go']);
  });

  it('is looked at, and not let go, where work comes before it was', async () => {
    const { queue, seen, idle } = await open({ most: 1 });
    await pass(1);
    queue.wake('work');
    idle.add({ letGo: () => assert.fail('the last one was let go') });
    await pass(20);
    assert.deepEqual(seen, ['open', 'look', 'look']);
  });

  it('is tried every two seconds while Redis cannot serve: Redis may lack what it knows', async () => {
    const { queue, seen, held } = await open();
    held.reopening = Promise.reject(new ReplyError('LOADING Redis is loading the dataset in memory'));
    held.reopening.catch(() => undefined);
    queue.reconnected(0);
    await pass(0);
    for (let tries = 0; tries < 10; tries += 1) await pass(2_000);
    const before = held.tries;
    for (let tries = 0; tries < 5; tries += 1) await pass(2_000);
    assert.equal(held.tries - before, 5);
    held.reopening = Promise.resolve();
    await pass(2_000);
    assert.deepEqual(seen.slice(3), ['open again', 'look', 'let go']);
  });

  it('takes no place of an open one when it was stopped during its look', async () => {
    const { queue, held, idle } = await open({ most: 1 });
    let end = (): void => undefined;
    held.look = new Promise((resolve) => (end = resolve));
    queue.attend();
    await pass(0);
    const stopped = queue.stop();
    await pass(2_000);
    await stopped;
    const letGo: string[] = [];
    idle.add({ letGo: () => letGo.push('the only one that is open') });
    end();
    await turn();
    assert.deepEqual(letGo, []);
  });

  it('is not counted once it was stopped', async () => {
    const { queue, idle } = await open({ most: 2 });
    idle.add({ letGo: () => assert.fail('one of two was let go') });
    queue.attend();
    await pass(20);
    await queue.stop();
    idle.add({ letGo: () => assert.fail('the last one was let go') });
  });

  it('is not counted while there is work in it', async () => {
    const { queue, seen, held, idle } = await open({ most: 1 });
    held.after = again;
    queue.attend();
    await pass(0);
    idle.add({ letGo: () => assert.fail('the only one that rests was let go') });
    await pass(99);
    assert.deepEqual(seen, ['open', 'look', 'look']);
  });

  it('is not let go once more for having been one too many', async () => {
    const { queue, seen, held } = await open();
    held.after = { kind: 'rest', dueMs: 30_000 };
    queue.attend();
    await pass(0);
    await pass(30_000);
    assert.deepEqual(seen.slice(3), ['open again', 'look', 'follow']);
  });

  it('stays open while results are awaited, and while its ledger is rebuilt', async () => {
    const awaiting = await open({ after: { kind: 'rest', dueMs: 30_000 } });
    const rebuilding = await open({ isRebuilding: true });
    await pass(30_000);
    assert.deepEqual(awaiting.seen, ['open', 'look', 'follow']);
    assert.deepEqual(rebuilding.seen, ['open', 'look']);
  });

  it('says goodbye when it is stopped', async () => {
    const { queue, seen } = await open();
    await queue.stop();
    assert.deepEqual(seen.slice(2), ['let go', 'left']);
  });

  it('forgets what it knew where Redis holds another layout by then', async () => {
    const { queue, seen, held } = await open();
    held.reopening = Promise.reject(layoutError);
    held.reopening.catch(() => undefined);
    await pass(20);
    queue.wake('work');
    await pass(0);
    assert.deepEqual([queue.refusal(), queue.hasLedger()], [layoutError.message, false]);
    await pass(60_000);
    assert.deepEqual(seen.slice(3), ['open', 'look', 'let go']);
  });
});

describe('a queue that is stopped while it is opened', () => {
  function begin() {
    const scheduler = createLookScheduler();
    let endOpening = (): void => undefined;
    const opening = new Promise<void>((resolve) => (endOpening = resolve));
    const seen: string[] = [];
    const queue = createServedQueue({
      name,
      scheduler,
      idle: createIdleQueues(Infinity),
      async open() {
        await opening;
        seen.push('open');
        return {
          ...opened,
          look: async () => (seen.push('look'), again),
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
