import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { parseInThread } from './parse-in-thread.ts';
import { parseTenants } from './parse-tenants.ts';

const gaveUp = (message: string) => ({ ok: false, faults: [{ line: 1, message }], gaveUp: true });
/** A yaml parser takes seconds for it. */
const brackets = '['.repeat(100_000);

describe('a large file of tenants', () => {
  it('is read beside the event loop, with the same outcome, and given up in time', async () => {
    const faulty = `tenants:\n${'  - name: X\n'.repeat(1_000)}`;
    const ofFaulty = parseInThread(faulty);
    const isFirst = Promise.race([ofFaulty.then(() => false), nextTurn(true)]);
    assert.equal(await isFirst, true, 'read by the event loop');
    assert.deepEqual(await ofFaulty, parseTenants(faulty));
    const long = parseInThread(brackets, { timeoutMs: 50 });
    const turn = delay(5, 'a turn of the loop');
    assert.equal(await Promise.race([long, turn]), 'a turn of the loop');
    assert.deepEqual(await long, gaveUp('takes too long to read'));
  });

  it('is given up where it takes more memory than it may, and the process goes on', async () => {
    assert.deepEqual(
      await parseInThread(brackets, { mostMegabytes: 8 }),
      gaveUp('takes too much memory to read'),
    );
  });

  it('is not read on when the watch ends', async () => {
    const ending = new AbortController();
    const reading = parseInThread(brackets, { signal: ending.signal });
    ending.abort();
    await assert.rejects(reading, { name: 'AbortError' });
  });
});
