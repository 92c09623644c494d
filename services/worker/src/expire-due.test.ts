import assert from 'node:assert/strict';
import { expireDue } from './expire-due.ts';

describe('ending requests whose deadline was reached', () => {
  it('goes on until none is left, and takes out the tickets of the dispatches that ended', async () => {
    const pages = [
      { requestIds: ['r1', 'r2'], ended: ['d1'] },
      { requestIds: ['r3'], ended: [] },
      { requestIds: [], ended: [] },
    ];
    const removed: string[] = [];
    const expired = await expireDue({
      dispatches: { expireDue: async () => pages.shift() ?? assert.fail('asked once more') },
      tickets: { removeAll: async (ids) => void removed.push(...ids) },
      logger: { info() {} },
    });
    assert.deepEqual([expired, removed], [3, ['d1']]);
  });
});
