import assert from 'node:assert/strict';
import { captureLog } from '../test-support/capture-log.ts';
import { countByLabel } from '../test-support/count-by-label.ts';
import { createTestMetrics } from '../test-support/test-metrics.ts';
import { createOddRowReport, createSeenReads } from './open-tenant.ts';

describe('the report of rows that cannot be read', () => {
  it('counts every one, and says so once a minute for each list', async () => {
    const { oddRows } = createTestMetrics();
    const { logger, lines } = captureLog();
    let nowMs = 0;
    const report = createOddRowReport(oddRows, logger, () => nowMs);
    for (let i = 0; i < 50; i += 1) report('alerts', { odd: 2, read: 5 });
    report('investigations', { odd: 1, read: 0 });
    nowMs = 60_000;
    report('alerts', { odd: 3, read: 5 });
    assert.deepEqual(await countByLabel(oddRows), { alerts: 103, investigations: 1 });
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      entries.map(({ list, unreadable, read }) => [list, unreadable, read]),
      [
        ['alerts', 2, 5],
        ['investigations', 1, 0],
        ['alerts', 3, 5],
      ],
    );
  });
});

describe('the reads in use of a tenant, as a worker saw them last', () => {
  const limits = [
    { calls: 50, windowMs: 60_000 },
    { calls: 750, windowMs: 3_600_000 },
  ];

  it('are over one window later, each without a command', () => {
    let nowMs = 0;
    const seen = createSeenReads(limits, () => nowMs);
    assert.deepEqual(seen.inUse(), [0, 0]);
    nowMs = 1_000;
    seen.counted([3, 4]);
    nowMs = 60_999;
    assert.deepEqual(seen.inUse(), [3, 4]);
    nowMs = 61_000;
    assert.deepEqual(seen.inUse(), [0, 4]);
    nowMs = 3_601_000;
    assert.deepEqual(seen.inUse(), [0, 0]);
  });

  it('are counted again while they are half of what may be read, and not for fewer', () => {
    let nowMs = 0;
    const seen = createSeenReads(limits, () => nowMs);
    seen.counted([24, 374]);
    assert.equal(seen.areMany(), false);
    seen.counted([25, 25]);
    assert.equal(seen.areMany(), true);
    nowMs = 60_000;
    assert.equal(seen.areMany(), false);
    seen.counted([0, 375]);
    assert.equal(seen.areMany(), true);
  });
});
