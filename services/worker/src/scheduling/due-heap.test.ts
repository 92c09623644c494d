import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { createDueHeap } from './due-heap.ts';

describe('the heap of what is due', () => {
  it('gives what is due in the order of its times, each once, by the time that it was given last', () => {
    const times = fc.array(fc.record({ dueMs: fc.nat(50), laterMs: fc.option(fc.nat(50)) }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(times, fc.nat(60), (all, untilMs) => {
        const heap = createDueHeap<{ dueMs: number }>();
        const entries = all.map(({ dueMs }) => ({ dueMs }));
        for (const entry of entries) heap.push(entry, entry.dueMs);
        for (const [i, { laterMs }] of all.entries()) {
          const entry = entries[i];
          if (laterMs === null || !entry || laterMs === entry.dueMs) continue;
          entry.dueMs = laterMs;
          heap.push(entry, laterMs);
        }
        const due = entries.map(({ dueMs }) => dueMs).filter((dueMs) => dueMs <= untilMs);
        const taken: number[] = [];
        for (let one = heap.takeDue(untilMs); one; one = heap.takeDue(untilMs)) {
          taken.push(one.dueMs);
          one.dueMs = Infinity;
        }
        assert.deepEqual(
          taken,
          due.toSorted((a, b) => a - b),
        );
        const left = entries.filter(({ dueMs }) => dueMs < Infinity).map(({ dueMs }) => dueMs);
        assert.equal(heap.firstMs(), Math.min(Infinity, ...left));
      }),
    );
  });
});
