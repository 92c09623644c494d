import assert from 'node:assert/strict';
import { createProgressLines } from './progress-view.ts';

describe('progress where a bar cannot move', () => {
  it('is a line whenever a count has changed or the next slot became known, not for every second', () => {
    const lines: string[] = [];
    const view = createProgressLines((text) => lines.push(text));
    const progress = { total: 3, started: 1, waiting: 1, failed: 0 };
    view.show({ ...progress, nextSlotInS: undefined });
    view.show({ ...progress, nextSlotInS: 10 });
    view.show({ ...progress, nextSlotInS: 9 });
    view.show({ ...progress, waiting: 0, started: 2, nextSlotInS: undefined });
    assert.deepEqual(lines, [
      '  2/3  started 1, waiting 1, failed 0\n',
      '  2/3  started 1, waiting 1, failed 0; next slot in 10 s\n',
      '  3/3  started 2, waiting 0, failed 0\n',
    ]);
  });
});
