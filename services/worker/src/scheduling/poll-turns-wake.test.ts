import assert from 'node:assert/strict';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import type { Permit } from '@diq/quota/limiter/permit-limiter.ts';
import {
  deferred,
  hourMs,
  inTurn,
  loopWorld,
  jobNamed,
  usePollLoops,
  view,
} from '../test-support/loop-world.ts';
import type { ClaimedJob } from './job-claimer.ts';

describe('claim loop, waking and stopping', () => {
  const suite = usePollLoops();

  it('says when it last looked with success, so that readiness can see it stand still', async () => {
    const looking = deferred<LedgerSnapshot>();
    const { errors, options } = loopWorld({ countReady: async () => 0 });
    const looks = inTurn(
      () => looking.promise,
      () => Promise.reject<LedgerSnapshot>(new Error('Redis is away')),
    );
    const loop = suite.start({
      ...options,
      snapshot: async () => (await looks())(),
    });
    const atStartMs = loop.lastTurnAtMs();
    await waitFor(() => Date.now() > atStartMs, { what: 'the next millisecond', intervalMs: 1 });
    looking.resolve(view());
    await waitFor(() => loop.lastTurnAtMs() > atStartMs, { what: 'a turn with success', intervalMs: 1 });
    const lastMs = loop.lastTurnAtMs();
    await waitFor(() => errors.length > 0, { what: 'a turn without', intervalMs: 1 });
    assert.equal(loop.lastTurnAtMs(), lastMs);
  });

  it('goes on looking while it may take nothing more in hand, so that slow calls are no standstill', async () => {
    suite.hurryWaits();
    let isAway = false;
    const { events, errors, options } = loopWorld();
    const loop = suite.start({
      ...options,
      snapshot: async () => (isAway ? Promise.reject(new Error('Redis is away')) : view()),
    });
    await waitFor(() => events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    const claimedAtMs = Date.now();
    await waitFor(() => loop.lastTurnAtMs() > claimedAtMs + 20, { what: 'further turns', intervalMs: 1 });
    assert.equal(loop.stalledForMs(), 0);
    assert.deepEqual(events, ['acquire', 'claim']);
    isAway = true;
    await waitFor(() => errors.length > 0, { what: 'a turn without success', intervalMs: 1 });
    const lastMs = loop.lastTurnAtMs();
    await waitFor(() => Date.now() > lastMs + 20, { what: 'time to pass', intervalMs: 1 });
    assert.equal(loop.lastTurnAtMs(), lastMs, 'and sees that they cannot be asked');
  });

  it('does not wait for a claim that hangs when it is stopped, and releases the job that it still brings', async () => {
    const claiming = deferred<ClaimedJob>();
    const { events, options } = loopWorld();
    let isClaiming = false;
    const loop = suite.start({
      ...options,
      claim: () => {
        isClaiming = true;
        return claiming.promise;
      },
    });
    await waitFor(() => isClaiming, { what: 'the claim', intervalMs: 1 });
    suite.hurryWaits();
    await loop.stop();
    const release = deferred();
    claiming.resolve({ ...jobNamed('late'), release: async () => release.resolve() });
    await release.promise;
    assert.deepEqual(events, ['acquire', 'release']);
  });

  it('says how long a free slot has gone unused while work was ready, until one is used', async () => {
    const permits: (Permit | undefined)[] = [];
    let idleSeconds = 0;
    const { events, options } = loopWorld();
    const loop = suite.start({
      ...options,
      tryAcquire: async () => permits.shift(),
      onIdle: (seconds) => {
        idleSeconds += seconds;
      },
    });
    await waitFor(() => loop.stalledForMs() > 50 && idleSeconds > 0.02, {
      what: 'a standstill',
      intervalMs: 1,
    });
    assert.ok(idleSeconds * 1_000 <= loop.stalledForMs() + 1);
    permits.push({ spent() {}, counted() {}, release() {}, keepForOneWindow() {} });
    await waitFor(() => events.includes('claim'), { what: 'a claim', intervalMs: 1 });
    await waitFor(() => loop.stalledForMs() === 0, { what: 'the standstill to be over', intervalMs: 1 });
  });

  it('looks at once when a job has been seen through, instead of sleeping on', async () => {
    // The wait of a full house lasts: only the end of the first job can cut it short.
    suite.stretchWaits(1_000);
    const first = deferred();
    const second = deferred();
    const serving = [first, second];
    let begun = 0;
    const { options } = loopWorld();
    const loop = suite.start({
      ...options,
      serve: () => {
        const mine = serving[begun++];
        if (begun === 2) second.resolve();
        return mine!.promise;
      },
      countReady: async () => (begun < 2 ? 1 : 0),
    });
    await waitFor(() => begun === 1, { what: 'the first job', intervalMs: 1 });
    first.resolve();
    await second.promise;
    await loop.stop();
  });

  it('looks again when a job ends while it is looking: what it sees is out of date', async () => {
    const waits = suite.hurryWaits();
    const looking = deferred<LedgerSnapshot>();
    const served = deferred();
    let looks = 0;
    const again = deferred();
    const { options } = loopWorld({ maxInFlight: 2 });
    suite.start({
      ...options,
      snapshot: () => {
        looks += 1;
        if (looks === 3) again.resolve();
        return looks === 2
          ? looking.promise
          : Promise.resolve(looks === 1 ? view({ calls: 2 }) : view({ freeInMs: hourMs }));
      },
      serve: () => served.promise,
    });
    await waitFor(() => looks === 2, { what: 'the second look', intervalMs: 1 });
    served.resolve();
    await new Promise(setImmediate);
    looking.resolve(view({ freeInMs: hourMs }));
    await again.promise;
    assert.deepEqual(waits, []);
  });

  it('stops only when all that it drew has been seen through, and claims nothing more', async () => {
    const served = deferred();
    const { events, options } = loopWorld();
    const loop = suite.start({ ...options, serve: () => served.promise });
    await waitFor(() => events.includes('claim'), { what: 'the claim', intervalMs: 1 });
    let hasStopped = false;
    const stopping = loop.stop().then(() => (hasStopped = true));
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
    assert.equal(hasStopped, false);
    served.resolve();
    await stopping;
    assert.deepEqual(events, ['acquire', 'claim']);
  });

  it('gives a permit back that comes when it has been stopped', async () => {
    const acquiring = deferred();
    const { events, options } = loopWorld();
    let asked = false;
    const loop = suite.start({
      ...options,
      tryAcquire: async () => {
        asked = true;
        await acquiring.promise;
        return options.tryAcquire();
      },
    });
    await waitFor(() => asked, { what: 'the limiter to be asked', intervalMs: 1 });
    const stopping = loop.stop();
    acquiring.resolve();
    await stopping;
    assert.deepEqual(events, ['acquire', 'release']);
  });

  it('stops at once out of a wait', async () => {
    const { options } = loopWorld({ snapshot: async () => view({ heldForMs: hourMs }) });
    const loop = suite.start(options);
    const before = loop.lastTurnAtMs();
    await waitFor(() => loop.lastTurnAtMs() >= before, { what: 'a turn', intervalMs: 1 });
    const startedMs = performance.now();
    await loop.stop();
    assert.ok(performance.now() - startedMs < 500);
  });
});
