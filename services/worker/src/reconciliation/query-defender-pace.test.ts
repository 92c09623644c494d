import assert from 'node:assert/strict';
import type { Reading } from '../defender/defender-reader.ts';
import { createReadPace } from './query-defender.ts';

describe('the pace of reads', () => {
  let nowMs = 0;
  let made = 0;
  beforeEach(() => {
    nowMs = 1_000_000;
    made = 0;
  });
  const pace = () => createReadPace({ reads: 3, perMs: 60_000, nowMs: () => nowMs });
  const read = async (): Promise<Reading<number>> => ({ kind: 'read', value: (made += 1) });

  it('lets so many through in any such time, and says when the next may come', async () => {
    const { ask } = pace();
    for (const value of [1, 2, 3]) {
      assert.deepEqual(await ask(read), { kind: 'read', value });
      nowMs += 1_000;
    }
    assert.deepEqual(await ask(read), { kind: 'unreadable', reason: 'paced', retryAfterMs: 57_000 });
    nowMs += 56_999;
    assert.equal((await ask(read)).kind, 'unreadable');
    nowMs += 1;
    assert.deepEqual(await ask(read), { kind: 'read', value: 4 });
    assert.equal((await ask(read)).kind, 'unreadable', 'the others still count');
    assert.equal(made, 4);
  });

  it('reads nothing at all for as long as Defender asked to be left alone', async () => {
    const { ask } = pace();
    const throttled = { kind: 'unreadable', reason: 'throttled', retryAfterMs: 7_000 } as const;
    assert.deepEqual(await ask(async () => throttled), throttled);
    nowMs += 6_000;
    assert.deepEqual(await ask(read), { kind: 'unreadable', reason: 'paced', retryAfterMs: 1_000 });
    nowMs += 1_000;
    assert.equal((await ask(read)).kind, 'read');
  });
});
