import assert from 'node:assert/strict';
import { inSlices } from './in-slices.ts';

describe('work in slices', () => {
  it('is done for each in order, and other work has its turn between slices', async () => {
    const seen: string[] = [];
    const turns: number[] = [];
    let turn = 0;
    let isOver = false;
    const takeTurn = () => {
      turn += 1;
      if (!isOver) setImmediate(takeTurn);
    };
    setImmediate(takeTurn);
    await inSlices('abcdefg', 3, (item, index) => {
      seen.push(`${item}${index}`);
      turns.push(turn);
    });
    isOver = true;
    assert.deepEqual(seen, ['a0', 'b1', 'c2', 'd3', 'e4', 'f5', 'g6']);
    const [first = 0, , , second = 0, , , third = 0] = turns;
    assert.ok(first < second && second < third, turns.join());
    assert.deepEqual(turns, [first, first, first, second, second, second, third]);
  });

  it('is over at once where there is no more than a slice', () => {
    const seen: number[] = [];
    void inSlices([1, 2, 3], 3, (item) => void seen.push(item));
    assert.deepEqual(seen, [1, 2, 3]);
  });

  it('ends with the first error', async () => {
    const seen: number[] = [];
    const work = inSlices([1, 2, 3], 1, (item) => {
      if (item === 2) throw new Error('the second');
      seen.push(item);
    });
    await assert.rejects(work, /the second/);
    assert.deepEqual(seen, [1]);
  });
});
