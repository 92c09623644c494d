import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { parseInThread } from './parse-in-thread.ts';
import { parseTenants } from './parse-tenants.ts';

/** A yaml parser takes seconds for it. */
const brackets = '['.repeat(100_000);

describe('a large file of tenants', () => {
  it('is read beside the event loop, with the same outcome, and given up in time', async () => {
    const faulty = `tenants:\n${'  - name: X\n'.repeat(600)}`;
    assert.deepEqual(await parseInThread(faulty), parseTenants(faulty));
    const long = parseInThread(brackets, { timeoutMs: 500 });
    const turn = delay(5, 'a turn of the loop');
    assert.equal(await Promise.race([long, turn]), 'a turn of the loop');
    assert.deepEqual(await long, { ok: false, faults: [{ line: 1, message: 'takes too long to read' }] });
  });

  it('is not read on when the watch ends', async () => {
    const ending = new AbortController();
    const reading = parseInThread(brackets, { signal: ending.signal });
    ending.abort();
    await assert.rejects(reading, { name: 'AbortError' });
  });
});
