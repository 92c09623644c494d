import assert from 'node:assert/strict';
import { createReadyCheck } from './ready-check.ts';
import type { QueueReach, RefusingServer } from './queue-reach.ts';

type WorkerReports = Parameters<typeof createReadyCheck>[0]['workerReports'];

const check = (
  reach: QueueReach,
  full: readonly RefusingServer[] = [],
  workerReports: WorkerReports = () => [],
) =>
  createReadyCheck({
    reach: async () => reach,
    fullServers: () => full,
    workerReports,
    closing: new AbortController().signal,
  })();

describe('readiness of an intake with many queues', () => {
  const down = { why: 'does not answer', queues: ['contoso/isolate', 'fabrikam/isolate'] };

  it('stays while some of them can be served, and names those that cannot and why', async () => {
    const { ok, checks } = await check({ served: 3, refused: [down] });
    assert.equal(ok, true);
    assert.deepEqual(checks, {
      redis: 'takes writes',
      queues: 'of contoso/isolate, fabrikam/isolate Redis does not answer',
    });
  });

  it('names ten at the most', async () => {
    const queues = Array.from({ length: 12 }, (_, i) => `t${i}/isolate`);
    const { checks } = await check({ served: 1, refused: [{ why: 'does not answer', queues }] });
    assert.match(checks['queues'] ?? '', /t9\/isolate and 2 more Redis does not answer$/);
  });

  it('names the queues of a server that is full, where there are others', async () => {
    const full = { why: 'uses 90 % of its memory', queues: ['contoso/isolate'] };
    const all = { served: 3, refused: [] };
    const { ok, checks } = await check(all, [full]);
    assert.equal(ok, true);
    assert.equal(checks['memory'], 'of contoso/isolate Redis uses 90 % of its memory');
    const alone = await check(all, [{ ...full, queues: [] }]);
    assert.equal(alone.checks['memory'], 'Redis uses 90 % of its memory');
  });

  it('misses no worker of a tenant that was removed, and names the queues that have none where others have some', async () => {
    const queue = (tenant: string) => ({ tenant, operation: 'isolate' as const });
    const served = {
      queue: queue('contoso'),
      report: { state: 'active', alive: 1, lastSeenAtMs: 0 } as const,
      isAccepting: true,
    };
    const report = { state: 'absent', alive: 0, lastSeenAtMs: 0 } as const;
    const workersOf = async (...reports: ReturnType<WorkerReports>) =>
      (await check({ served: 3, refused: [] }, [], () => reports)).checks['workers'];
    assert.equal(await workersOf(served, { queue: queue('gone'), report, isAccepting: false }), 'alive');
    const unserved = { queue: queue('fabrikam'), report, isAccepting: true };
    assert.match(
      (await workersOf(served, unserved)) ?? '',
      /^of fabrikam\/isolate none is alive, last seen 1970/,
    );
    assert.match((await workersOf(unserved)) ?? '', /^none is alive/);
  });

  it('is lost when none can be served, and without a word of queues while all can', async () => {
    assert.deepEqual(await check({ served: 0, refused: [down] }), {
      ok: false,
      checks: { redis: 'does not answer' },
    });
    assert.deepEqual((await check({ served: 3, refused: [] })).checks, { redis: 'takes writes' });
  });
});
