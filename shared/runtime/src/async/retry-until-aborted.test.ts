import assert from 'node:assert/strict';
import { persistently } from './retry-until-aborted.ts';

const never = new AbortController().signal;

describe('persistently', () => {
  it('does it again after each failure, reports each, and gives the first result', async () => {
    const troubles: unknown[] = [];
    let tries = 0;
    const act = async () => {
      tries += 1;
      if (tries < 3) throw new Error(`failure ${tries}`);
      return `try ${tries}`;
    };
    const result = await persistently(act, { signal: never, onFailure: (error) => troubles.push(error) });
    assert.equal(result, 'try 3');
    assert.deepEqual(troubles.map(String), ['Error: failure 1', 'Error: failure 2']);
  });

  it('waits longer after each failure', async () => {
    const triedAtMs: number[] = [];
    const act = async () => {
      triedAtMs.push(performance.now());
      if (triedAtMs.length < 4) throw new Error('not yet');
    };
    await persistently(act, { signal: never, onFailure: () => undefined });
    const [first = 0, second = 0, third = 0, fourth = 0] = triedAtMs;
    // A timer of Node's may fire up to a millisecond early.
    assert.ok(second - first >= 49 && third - second >= 99 && fourth - third >= 199, triedAtMs.join(' '));
  });

  it('tries once more and then throws the last error when it is aborted in a wait', async () => {
    const giveUp = new AbortController();
    const onFailure = () => giveUp.abort();
    let tries = 0;
    const act = () => Promise.reject(new Error(`failure ${++tries}`));
    await assert.rejects(persistently(act, { signal: giveUp.signal, onFailure }), /failure 1/);

    const later = new AbortController();
    let failures = 0;
    const startedMs = performance.now();
    const trying = persistently(act, {
      signal: later.signal,
      onFailure: () => {
        failures += 1;
        if (failures === 1) setImmediate(() => later.abort());
      },
    });
    await assert.rejects(trying, /failure 3/);
    assert.ok(performance.now() - startedMs < 45, 'the wait was not cut short');
  });

  it('makes one try even if there is no time left', async () => {
    const signal = AbortSignal.abort();
    assert.equal(await persistently(async () => 'stored', { signal, onFailure: () => undefined }), 'stored');
  });
});
