import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { waitFor } from '@diq/testing/wait-for.ts';
import { repeat } from './run-periodically.ts';

const pauseMs = 3_600_000;
const fails = (error: unknown) => assert.fail(String(error));

describe('repeat', () => {
  afterEach(() => mock.timers.reset());

  it('does it at once, and again after each pause', async () => {
    let times = 0;
    const end = repeat(1, async () => (times += 1), fails);
    assert.equal(times, 1);
    await waitFor(() => times >= 4, { what: 'the fourth time', intervalMs: 1 });
    await end();
  });

  it('goes on after a failure and reports it', async () => {
    const errors: unknown[] = [];
    let times = 0;
    const act = async () => {
      times += 1;
      if (times < 3) throw new Error(`failure ${times}`);
    };
    const end = repeat(1, act, (error) => errors.push(error));
    await waitFor(() => times >= 4, { what: 'the fourth time', intervalMs: 1 });
    await end();
    assert.deepEqual(errors.map(String), ['Error: failure 1', 'Error: failure 2']);
  });

  it('never does it twice at the same time', async () => {
    let atOnce = 0;
    let most = 0;
    let times = 0;
    const act = async () => {
      most = Math.max(most, ++atOnce);
      await new Promise(setImmediate);
      atOnce -= 1;
      times += 1;
    };
    const end = repeat(0, act, fails);
    await waitFor(() => times >= 5, { what: 'the fifth time', intervalMs: 1 });
    await end();
    assert.equal(most, 1);
  });

  it('ends when the time under way is over, and starts none after it', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    let finish!: () => void;
    let times = 0;
    const act = () => {
      times += 1;
      return new Promise<void>((resolve) => (finish = resolve));
    };
    const end = repeat(pauseMs, act, fails);
    let hasEnded = false;
    const ending = end().then(() => (hasEnded = true));
    await new Promise(setImmediate);
    assert.equal(hasEnded, false);
    finish();
    await ending;
    mock.timers.tick(pauseMs);
    assert.equal(times, 1);
  });

  it('ends at once out of a pause', async () => {
    let times = 0;
    mock.timers.enable({ apis: ['setTimeout'] });
    const end = repeat(pauseMs, async () => (times += 1), fails);
    await new Promise(setImmediate);
    await end();
    mock.timers.tick(pauseMs);
    assert.equal(times, 1);
  });
});
