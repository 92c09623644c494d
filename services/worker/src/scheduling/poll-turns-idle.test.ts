import assert from 'node:assert/strict';
import { createProgressWatch } from './poll-turns.ts';

describe('the watch on progress', () => {
  let nowMs = 0;
  let idleSeconds = 0;
  let watch: ReturnType<typeof createProgressWatch>;
  beforeEach(() => {
    nowMs = 1_000;
    idleSeconds = 0;
    watch = createProgressWatch(
      (seconds) => {
        idleSeconds += seconds;
      },
      () => nowMs,
    );
  });
  const see = (couldCall: boolean, afterMs = 0) => {
    nowMs += afterMs;
    watch.saw(couldCall);
  };

  it('counts the time between two looks at both of which a call could have been made', () => {
    see(true);
    see(true, 1_500);
    see(true, 500);
    assert.equal(idleSeconds, 2);
    assert.equal(watch.stalledForMs(), 2_000);
  });

  it('counts no time that began or ended without work, slot or leave to call', () => {
    see(false);
    see(true, 1_000);
    see(false, 1_000);
    assert.equal(idleSeconds, 0);
    assert.equal(watch.stalledForMs(), 0);
  });

  it('counts no time in which something was claimed, and begins anew after it', () => {
    see(true);
    watch.moved();
    see(true, 3_000);
    assert.equal(idleSeconds, 0);
    see(true, 1_000);
    assert.deepEqual([idleSeconds, watch.stalledForMs()], [1, 1_000]);
  });

  it('lets a standstill grow without another look, until something moves or nothing can', () => {
    see(true);
    nowMs += 61_000;
    assert.equal(watch.stalledForMs(), 61_000);
    watch.moved();
    assert.equal(watch.stalledForMs(), 0);
    see(true);
    nowMs += 5_000;
    see(false);
    assert.equal(watch.stalledForMs(), 0);
  });
});
