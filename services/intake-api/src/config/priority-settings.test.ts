import assert from 'node:assert/strict';
import { defaultHeadStartMs } from '@diq/queue/scheduling/order.ts';
import { queuesOf } from '@diq/tenants/tenant.ts';
import { readIntakeSettings } from './config.ts';

const base = {
  REDIS_URL: 'redis://localhost:6379',
  INTAKE_API_KEYS: `soar:submit:${'0'.repeat(64)}`,
  AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
};

describe('the settings of the order', () => {
  it('have the defaults of the order, a reuse of one hour, and no slot kept back', () => {
    const { priorities, reuseWindowMs, tenants } = readIntakeSettings(base);
    assert.deepEqual(priorities, { headStartMs: defaultHeadStartMs, fairSources: true });
    const [queue] = tenants.flatMap(queuesOf);
    assert.deepEqual([reuseWindowMs, queue?.reserveForCritical], [3_600_000, 0]);
  });

  it('can change head starts, turns, reuse and reserve', () => {
    const settings = readIntakeSettings({
      ...base,
      PRIORITY_HEAD_START_HIGH: '5d',
      FAIR_SOURCES: 'off',
      REUSE_WINDOW: '0',
      QUOTA_RESERVE_CRITICAL: '4',
    });
    assert.deepEqual(
      [settings.priorities.headStartMs.high, settings.priorities.fairSources, settings.reuseWindowMs],
      [5 * 24 * 3_600_000, false, 0],
    );
    assert.equal(settings.tenants.flatMap(queuesOf)[0]?.reserveForCritical, 4);
  });

  for (const [what, env, fault] of [
    [
      'a class that has less of a start than a less urgent one',
      { PRIORITY_HEAD_START_HIGH: '1h' },
      /HIGH: shorter/,
    ],
    ['a reuse of longer than what is kept', { REUSE_WINDOW: '25h' }, /REUSE_WINDOW/],
    [
      'a reserve that leaves nothing for the others',
      { QUOTA_RESERVE_CRITICAL: '5' },
      /not below the quota of 5/,
    ],
  ] as const) {
    it(`refuse ${what}`, () => {
      assert.throws(() => readIntakeSettings({ ...base, ...env }), fault);
    });
  }
});
