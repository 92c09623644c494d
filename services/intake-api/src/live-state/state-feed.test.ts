import assert from 'node:assert/strict';
import { createStateFeed, type Listener } from './state-feed.ts';
import type { QueueState } from '../estimates/queue-state.ts';
import type { StateDocument } from './read-state-document.ts';

/** What stands in a document is nothing to the feed, but for what only time changes. */
function documentOf(used: number, now = '2026-01-24T12:00:00.000Z'): StateDocument {
  const queue = { queued: 0, dispatching: 0, oldestWaitSeconds: Date.parse(now), expectedDrainAt: now };
  const workers = { state: 'active', alive: 1, lastSeenAt: now };
  const limits = [{ calls: 5, windowSeconds: 3_600, used, remaining: 5 - used, nextSlotAt: now }];
  const document = { now, used, remaining: 5 - used, nextSlotAt: now, limits, queue, workers, next: [] };
  return document as unknown as StateDocument;
}

const state = {} as QueueState;

interface Heard extends Listener {
  texts: string[];
  isOver: boolean;
}

function listener(): Heard {
  const heard: Heard = {
    texts: [],
    isOver: false,
    send: (text) => void heard.texts.push(text),
    end: () => (heard.isOver = true),
  };
  return heard;
}

function feedOf(documents: () => StateDocument | Promise<StateDocument>, options = {}) {
  const counts = { readings: 0 };
  const feed = createStateFeed({
    readState: () => Promise.resolve(state),
    readDocument: async () => {
      counts.readings += 1;
      return documents();
    },
    onError: (error) => assert.fail(String(error)),
    minIntervalMs: 0,
    ...options,
  });
  return { feed, counts };
}

/** Lets a reading that was begun come to its end. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the feed of the state', () => {
  it('reads once for all listeners, however many come', async () => {
    const { feed, counts } = feedOf(() => documentOf(1), { minIntervalMs: 60_000 });
    const all = Array.from({ length: 50 }, listener);
    await Promise.all(all.map((one, i) => feed.listen(one, `caller-${i}`)));
    assert.equal(counts.readings, 1);
    assert.deepEqual([...new Set(all.map(({ texts }) => texts.length))], [1]);
    feed.close();
  });

  it('says whether anybody listens', async () => {
    const { feed } = feedOf(() => documentOf(1));
    assert.equal(feed.isListenedTo(), false);
    const stop = await feed.listen(listener(), 'caller');
    assert.equal(feed.isListenedTo(), true);
    assert.ok(typeof stop === 'function');
    stop();
    assert.equal(feed.isListenedTo(), false);
    feed.close();
  });

  it('reads nothing while it has no listeners', async () => {
    const { feed, counts } = feedOf(() => documentOf(1));
    feed.show(state);
    await settle();
    assert.equal(counts.readings, 0);
  });

  it('tells what changed, and says nothing when only time has passed', async () => {
    let present = documentOf(1);
    const { feed } = feedOf(() => present);
    const one = listener();
    await feed.listen(one, 'reader');
    present = documentOf(1, '2026-01-24T12:00:07.000Z');
    feed.show(state);
    await settle();
    assert.equal(one.texts.length, 1);
    present = documentOf(2);
    feed.show(state);
    await settle();
    assert.equal(one.texts.length, 2);
    assert.match(one.texts[1] ?? '', /^event: state\ndata: \{.*"used":2.*\}\n\n$/);
    feed.close();
  });

  it('tells when a worker comes or goes, and not that one was seen again', async () => {
    const withWorkers = (workers: object) => ({ ...documentOf(1), workers }) as StateDocument;
    const seenAt = (second: number) => `2026-01-24T12:00:0${second}.000Z`;
    let present = withWorkers({ state: 'active', alive: 1, lastSeenAt: seenAt(0) });
    const { feed } = feedOf(() => present);
    const one = listener();
    await feed.listen(one, 'reader');
    for (const [workers, states] of [
      [{ state: 'active', alive: 1, lastSeenAt: seenAt(1) }, 1],
      [{ state: 'active', alive: 2, lastSeenAt: seenAt(2) }, 2],
      [{ state: 'stalled', alive: 2, lastSeenAt: seenAt(3) }, 3],
      [{ state: 'absent', alive: 0, lastSeenAt: seenAt(4) }, 4],
      [{ state: 'absent', alive: 0, lastSeenAt: seenAt(5) }, 5],
    ] as const) {
      present = withWorkers(workers);
      feed.show(state);
      await settle();
      assert.equal(one.texts.length, states, JSON.stringify(workers));
    }
    feed.close();
  });

  it('tells no more often than the interval allows', async () => {
    let used = 0;
    const { feed } = feedOf(() => documentOf((used += 1)), { minIntervalMs: 60_000 });
    const one = listener();
    await feed.listen(one, 'reader');
    for (let i = 0; i < 5; i += 1) {
      feed.show(state);
      await settle();
    }
    assert.equal(one.texts.length, 1);
    feed.close();
  });

  it('says once that nothing can be read, and tells the state again when it can', async () => {
    const { feed } = feedOf(() => documentOf(1));
    const one = listener();
    await feed.listen(one, 'reader');
    feed.fail();
    feed.fail();
    feed.show(state);
    await settle();
    assert.deepEqual(
      one.texts.map((text) => text.split('\n')[0]),
      ['event: state', 'event: unavailable', 'event: state'],
    );
    feed.close();
  });

  it('says that nothing can be read where a part of the state cannot, and does not pass the last one off as present', async () => {
    let isBroken = false;
    const errors: unknown[] = [];
    const read = () => (isBroken ? Promise.reject(new Error('away')) : documentOf(1));
    const { feed } = feedOf(read, { onError: (error: unknown) => errors.push(error) });
    const one = listener();
    await feed.listen(one, 'reader');
    isBroken = true;
    feed.show(state);
    await settle();
    isBroken = false;
    feed.show(state);
    await settle();
    assert.deepEqual(
      one.texts.map((text) => text.split('\n')[0]),
      ['event: state', 'event: unavailable', 'event: state'],
    );
    assert.equal(errors.length, 1);
    feed.close();
  });

  it('has so many listeners of one caller and no more, and room for those of others', async () => {
    const { feed } = feedOf(() => documentOf(1), { maxListenersOfCaller: 2 });
    const stops = [await feed.listen(listener(), 'many'), await feed.listen(listener(), 'many')];
    assert.equal(await feed.listen(listener(), 'many'), 'full-for-caller');
    assert.ok(typeof (await feed.listen(listener(), 'other')) === 'function');
    const [stop] = stops;
    assert.ok(typeof stop === 'function');
    stop();
    assert.ok(typeof (await feed.listen(listener(), 'many')) === 'function');
    feed.close();
  });

  it('is full with the last listener that it may have, and takes another when one has gone', async () => {
    const { feed } = feedOf(() => documentOf(1), { maxListeners: 1 });
    const stop = await feed.listen(listener(), 'reader');
    assert.ok(typeof stop === 'function');
    assert.equal(await feed.listen(listener(), 'reader'), 'full');
    stop();
    assert.ok(typeof (await feed.listen(listener(), 'reader')) === 'function');
    feed.close();
  });

  it('sends a sign of life, as an event that a page can hear, while nothing changes, and ends a listener that has listened for long', async () => {
    const one = listener();
    const over = new Promise<void>((resolve) => {
      one.end = resolve;
    });
    const { feed } = feedOf(() => documentOf(1), { heartbeatMs: 2, maxAgeMs: 20 });
    await feed.listen(one, 'reader');
    await over;
    assert.ok(one.texts.includes('event: heartbeat\ndata: {}\n\n'));
    feed.close();
  });

  it('ends a listener that has signed out, and none of whom that cannot be asked', async () => {
    const { feed } = feedOf(() => documentOf(1), { signedInCheckMs: 2 });
    let [isSignedIn, asked] = [true, 0];
    const [signedOut, unknown, withKey] = [listener(), listener(), listener()];
    const over = new Promise<void>((resolve) => {
      signedOut.end = resolve;
    });
    await feed.listen(unknown, 'unknown', () => {
      asked += 1;
      return Promise.reject(new Error('away'));
    });
    await feed.listen(withKey, 'key');
    await feed.listen(signedOut, 'reader', () => Promise.resolve(isSignedIn));
    isSignedIn = false;
    await over;
    assert.ok(asked > 0);
    assert.deepEqual([unknown.isOver, withKey.isOver], [false, false]);
    feed.close();
  });

  it('ends all listeners when it closes, and takes no more', async () => {
    const { feed } = feedOf(() => documentOf(1));
    const one = listener();
    await feed.listen(one, 'reader');
    feed.close();
    assert.equal(one.isOver, true);
    assert.equal(await feed.listen(listener(), 'reader'), 'full');
  });

  it('passes a failure on to who wants to listen', async () => {
    const { feed } = feedOf(() => Promise.reject(new Error('away')));
    await assert.rejects(feed.listen(listener(), 'reader'), /away/);
  });
});
