import assert from 'node:assert/strict';
import { readCursor, writeCursor } from './cursor.ts';

describe('a cursor', () => {
  it('gives back the offset it was written for', () => {
    assert.deepEqual([0, 1, 9_999, 10_000].map(writeCursor).map(readCursor), [0, 1, 9_999, 10_000]);
  });

  it('is refused in any other form', () => {
    for (const cursor of [
      '',
      '1',
      writeCursor(10_001),
      writeCursor(-1),
      writeCursor(1.5),
      `${writeCursor(1)}=`,
    ]) {
      assert.equal(readCursor(cursor), undefined, cursor);
    }
  });
});
