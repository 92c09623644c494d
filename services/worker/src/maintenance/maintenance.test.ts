import assert from 'node:assert/strict';
import { expireDue } from './maintenance.ts';

describe('ending requests whose deadline was reached', () => {
  it('goes on until none is left, and takes out the jobs of the tasks that ended', async () => {
    const pages = [
      { requestIds: ['r1', 'r2'], ended: ['d1'] },
      { requestIds: ['r3'], ended: [] },
      { requestIds: [], ended: [] },
    ];
    const removed: string[] = [];
    const expired = await expireDue({
      tasks: { expireDue: async () => pages.shift() ?? assert.fail('asked once more') },
      jobs: { removeAll: async (ids) => void removed.push(...ids) },
      logger: { info() {} },
    });
    assert.deepEqual([expired, removed], [3, ['d1']]);
  });
});
