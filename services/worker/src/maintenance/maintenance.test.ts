import assert from 'node:assert/strict';
import { createMissingJobsDuty, expireDue } from './maintenance.ts';

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

describe('when missing jobs are searched for', () => {
  const waits = { waiting: 5, ready: 2, claimed: 1, blocked: 1, offline: 0, unresolved: 1 };

  it('is while fewer jobs are there than tasks that wait', () => {
    const duty = createMissingJobsDuty(
      async () => ({ suspects: 0 }),
      () => 0,
    );
    assert.equal(duty.mayBeMissing({ ...waits, claimed: 0 }), true);
    assert.equal(
      duty.mayBeMissing({ waiting: 0, ready: 0, claimed: 0, blocked: 0, offline: 0, unresolved: 0 }),
      false,
    );
  });

  it('is every half minute where there are as many, and again soon while any seems to be missing', async () => {
    let nowMs = 0;
    let suspects = 0;
    const duty = createMissingJobsDuty(
      async () => ({ suspects }),
      () => nowMs,
    );
    assert.equal(duty.mayBeMissing(waits), true);
    await duty.check();
    nowMs = 29_999;
    assert.equal(duty.mayBeMissing(waits), false);
    nowMs = 30_000;
    assert.equal(duty.mayBeMissing(waits), true);
    suspects = 1;
    await duty.check();
    assert.equal(duty.mayBeMissing(waits), true);
    suspects = 0;
    await duty.check();
    assert.equal(duty.mayBeMissing(waits), false);
  });
});
