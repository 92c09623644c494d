import assert from 'node:assert/strict';
import { waitFor } from '@diq/testing/wait-for.ts';
import {
  deferred,
  hourMs,
  inTurn,
  loopWorld,
  jobNamed,
  usePollLoops,
  view,
} from '../test-support/loop-world.ts';

describe('claim loop', () => {
  const suite = usePollLoops();

  it('takes the permit first and the job second, and hands both on', async () => {
    const served = deferred<string>();
    const { events, options } = loopWorld({
      serve: async (job, permit) => {
        permit.keepForOneWindow();
        served.resolve(job.taskId);
        await new Promise(() => undefined);
      },
    });
    suite.start(options);
    assert.equal(await served.promise, 'job-1');
    assert.deepEqual(events, ['acquire', 'claim', 'keep']);
  });

  it('claims nothing while no slot is free, a hold is on, or nothing is ready', async () => {
    const waits = suite.hurryWaits();
    const looks: string[][] = [];
    const { events, options } = loopWorld();
    const views = inTurn(view({ freeInMs: 300 }), view({ heldForMs: 500 }), view(), view());
    suite.start({
      ...options,
      snapshot: () => {
        looks.push([...events]);
        return views();
      },
      countReady: inTurn(1, 1, 0, 1),
    });
    await waitFor(() => events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    assert.deepEqual(looks.slice(0, 4), [[], [], [], []]);
    // To the millisecond after the slot opens or the hold ends; while nothing is ready a wake comes first.
    assert.deepEqual(waits.slice(0, 3), [301, 501, 1_000]);
  });

  it('waits for a look at the next task while a slot was free before it came, and never at one that was waited for', async () => {
    const waits = suite.hurryWaits();
    const asked: string[][] = [];
    const { events, options } = loopWorld({
      holdsNext: inTurn(true, true, false),
      countReady: inTurn(0, 1),
    });
    const holdsNext = options.holdsNext ?? assert.fail();
    suite.start({
      ...options,
      holdsNext: (seen) => {
        asked.push([...events]);
        return holdsNext(seen);
      },
    });
    await waitFor(() => events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    assert.deepEqual(
      [asked, waits.slice(0, 3)],
      [
        [[], [], []],
        [1_000, 50, 50],
      ],
    );

    const awaited = loopWorld({
      snapshot: inTurn(view({ freeInMs: 300 }), view()),
      holdsNext: () => assert.fail('asked'),
    });
    suite.start(awaited.options);
    await waitFor(() => awaited.events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    assert.deepEqual(awaited.errors, []);
  });

  it('looks again within a second, however long slot or hold still take', async () => {
    const waits = suite.hurryWaits();
    const { events, options } = loopWorld({
      snapshot: inTurn(view({ freeInMs: hourMs }), view({ heldForMs: hourMs }), view()),
    });
    suite.start(options);
    await waitFor(() => events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    assert.deepEqual(waits.slice(0, 2), [1_000, 1_000]);
  });

  it('holds no job beyond those it may serve at a time: whatever waits, waits in the queue', async () => {
    const { events, options } = loopWorld({ maxInFlight: 2, snapshot: async () => view({ calls: 3 }) });
    const both = deferred();
    let inHand = 0;
    suite.start({
      ...options,
      serve: () => {
        inHand += 1;
        if (inHand === 2) both.resolve();
        return new Promise(() => undefined);
      },
    });
    await both.promise;
    // Any further claim would have been made by the turns that follow.
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
    assert.equal(events.filter((step) => step === 'claim').length, 2);
  });

  it('gives the permit back when another worker was quicker to the job', async () => {
    const waits = suite.hurryWaits();
    const { events, options } = loopWorld({ claim: inTurn(undefined, jobNamed('late')) });
    const served = deferred();
    suite.start({ ...options, serve: async () => served.resolve(), countReady: inTurn(1, 1, 0) });
    await served.promise;
    assert.deepEqual(events, ['acquire', 'release', 'acquire']);
    assertWait(waits[0], 100);
  });

  it('gives the permit back when the job cannot be claimed', async () => {
    const waits = suite.hurryWaits();
    const trouble = new Error('Redis is away');
    let claims = 0;
    const { events, errors, options } = loopWorld();
    const served = deferred();
    const claim = async () => (claims++ === 0 ? Promise.reject(trouble) : jobNamed('later'));
    suite.start({ ...options, claim, serve: async () => served.resolve(), countReady: inTurn(1, 1, 0) });
    await served.promise;
    assert.deepEqual(events, ['acquire', 'release', 'acquire']);
    assert.deepEqual(errors, [trouble]);
    assertWait(waits[0], 500);
  });

  it('tries again soon, and then backs off, while the limiter has no permit for a slot that the ledger shows', async () => {
    const waits = suite.hurryWaits();
    const permit = {
      spent() {},
      counted() {},
      release: () => undefined,
      keepForOneWindow: () => undefined,
    };
    const none = Array.from({ length: 7 }, () => undefined);
    const done = deferred();
    let claimed = 0;
    const { options } = loopWorld({
      tryAcquire: inTurn(...none, permit, undefined, permit),
      maxInFlight: 3,
    });
    suite.start({
      ...options,
      claim: async () => jobNamed(`job-${++claimed}`),
      serve: () => {
        if (claimed === 2) done.resolve();
        return new Promise(() => undefined);
      },
      snapshot: async () => view({ calls: 3 }),
    });
    await done.promise;
    assert.deepEqual(waits.slice(0, 8), [40, 80, 160, 320, 640, 1_000, 1_000, 40]);
  });

  it('tries as soon again at the next slot', async () => {
    const waits = suite.hurryWaits();
    const { options } = loopWorld({ tryAcquire: async () => undefined });
    suite.start({ ...options, snapshot: inTurn(view(), view(), view({ freeInMs: 300 }), view()) });
    await waitFor(() => waits.length > 3, { what: 'the fourth wait', intervalMs: 1 });
    assert.deepEqual(waits.slice(0, 4), [40, 80, 301, 40]);
  });

  it('lets the worker go first that made the last call, and comes in its place', async () => {
    const waits = suite.hurryWaits();
    let claims = 0;
    const { events, options } = loopWorld({
      snapshot: inTurn(view({ freeInMs: 300 }), view()),
      yieldsMs: () => 50,
      onClaimed: () => void (claims += 1),
    });
    let prepared = 0;
    suite.start({ ...options, prepare: () => void (prepared += 1) });
    await waitFor(() => events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    assert.deepEqual([waits[0], prepared, claims], [351, 0, 1]);
  });

  it('looks no more after it has claimed for the last slot: the end of its job comes first', async () => {
    const waits = suite.hurryWaits();
    let looks = 0;
    const { options } = loopWorld({ maxInFlight: 2 });
    const loop = suite.start({
      ...options,
      snapshot: async () => {
        looks += 1;
        return view();
      },
    });
    await waitFor(() => waits.length > 0, { what: 'the first wait', intervalMs: 1 });
    assert.deepEqual([looks, waits[0], loop.blockedUntilMs()], [1, 1_000, Infinity]);
  });

  it('looks when the next slot opens, where that comes before the end of the job that has the last one', async () => {
    const waits = suite.hurryWaits();
    const { options } = loopWorld({ maxInFlight: 2 });
    // Of two slots one is free; the other one is when 350 ms are over.
    const next = view({ freeInMs: 350, calls: 2 });
    suite.start({ ...options, snapshot: inTurn(next, view()), countReady: async () => 2 });
    await waitFor(() => waits.length > 0, { what: 'the first wait', intervalMs: 1 });
    assertWait(waits[0], 351);

    // With nothing else ready it is left to a wake, which counts from then on.
    const alone = suite.start({ ...options, snapshot: async () => next });
    await waitFor(() => waits.includes(1_000), { what: 'a wait for a wake', intervalMs: 1 });
    assert.ok(alone.blockedUntilMs() < performance.now() + 352);
  });

  it('claims nothing more for the last slot of a window whose calls it does not all see, before its call is spent', async () => {
    const waits = suite.hurryWaits();
    const { events, options } = loopWorld({ maxInFlight: 100 });
    const last = view({ calls: 1_500 });
    const slotsInUse = Array.from({ length: 100 }, () => ({
      freeAtMs: last.nowMs + 60_000,
      call: undefined,
    }));
    const [hour] = last.limits;
    const minute = { windowMs: 60_000, calls: 100, quotaCalls: 100, used: 0 };
    suite.start({
      ...options,
      snapshot: async () => ({ ...last, slotsInUse, limits: [minute, { ...hour, used: 1_499 }] }),
      countReady: async () => 500,
    });
    await waitFor(() => waits.length > 0, { what: 'the first wait', intervalMs: 1 });
    assert.deepEqual([events, waits[0]], [['acquire', 'claim'], 1_000]);
  });

  it('claims for each slot of the longest window once, however long its calls are not spent', async () => {
    const waits = suite.hurryWaits();
    const { events, options } = loopWorld({ maxInFlight: 100 });
    const two = view({ calls: 2 });
    const minute = { windowMs: 60_000, calls: 100, quotaCalls: 100, used: 0 };
    suite.start({
      ...options,
      snapshot: async () => ({ ...two, limits: [minute, ...two.limits] }),
      countReady: async () => 500,
    });
    await waitFor(() => waits.length > 0, { what: 'the first wait', intervalMs: 1 });
    assert.deepEqual([events, waits[0]], [['acquire', 'claim', 'acquire', 'claim'], 40]);
  });

  it('claims nothing while ledger or queue cannot be asked, says so, and goes on when they can', async () => {
    const waits = suite.hurryWaits();
    const trouble = new Error('Connection is closed.');
    const { events, errors, options } = loopWorld();
    const [ledgerIsAway, queueIsAway] = [inTurn(true, false), inTurn(false, true, false)];
    suite.start({
      ...options,
      snapshot: async () => ((await ledgerIsAway()) ? Promise.reject(trouble) : view()),
      countReady: async () => ((await queueIsAway()) ? Promise.reject(trouble) : 1),
    });
    await waitFor(() => events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    assert.deepEqual(errors, [trouble, trouble]);
    assert.deepEqual(events, ['acquire', 'claim']);
    assert.deepEqual(waits.slice(0, 2), [500, 500]);
  });
});

/** What is left of it when it is asked for: a busy machine comes to that some ms later. */
function assertWait(waitMs: number | undefined, fullMs: number): void {
  assert.ok(waitMs !== undefined && waitMs <= fullMs && waitMs > fullMs / 2, `${waitMs} ms`);
}
