import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createReadBudget } from '@diq/quota/reads/read-budget.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useLostCalls } from '../test-support/use-lost-calls.ts';

const hourMs = 3_600_000;

describe('lost answers while the budget of reads is used up', () => {
  const redis = useEmbeddedRedis();
  const suite = useLostCalls(redis);
  /** As workers of one tenant have it, with so many reads in so many ms. */
  const budgetOf = (tenantId: string, calls: number, windowMs: number) =>
    createReadBudget({ redis: redis.client, tenantId, limits: [{ calls, windowMs }], timeoutMs: 10_000 });
  const madeAndSilent = { kind: 'hang', made: true };

  it('are not looked for, and are found when reads can be made again, however long the grace is over', async () => {
    const tenantId = randomUUID();
    const budget = budgetOf(tenantId, 1, 4_000);
    const quick = { reconcile: { graceMs: 100, onUnknown: 'fail' } } as const;
    const lost = await suite.lose(madeAndSilent, { ...quick, budget });
    // Ten times the grace is when a search without an answer is given up.
    await waitFor(async () => (await suite.ageOf(lost)) > 1_500, { what: 'the end of the grace' });
    const taken = await budget.take();
    assert.ok(taken.granted, 'by another worker');
    await taken.answered();
    await lost.worker.reconciler.queryDue();
    assert.equal((await lost.worker.find(lost.taskId)).state, 'reconciling');
    assert.deepEqual(await suite.readsOf(lost.machineId), [], 'nothing was sent');
    const { status, investigationId } = await suite.untilOver(lost);
    assert.deepEqual(
      [status, investigationId],
      ['started', await suite.simulator.investigationOf(lost.machineId)],
    );
  });

  it('hold up no call that is due, nor take a slot of it', async () => {
    const tenantId = randomUUID();
    const budget = budgetOf(tenantId, 1, hourMs);
    assert.ok((await budget.take()).granted);
    const lost = await suite.lose(madeAndSilent, { limit: 5, budget });
    const loop = await lost.worker.startLoop();
    let isOver = false;
    const looking = (async () => {
      while (!isOver) await Promise.all([lost.worker.reconciler.queryDue(), delay(20)]);
    })();
    const due = await Promise.all([suite.bench.accept(), suite.bench.accept(), suite.bench.accept()]);
    try {
      for (const { requestId } of due) {
        await waitFor(async () => (await suite.bench.read(requestId)).status === 'started', {
          what: 'the call',
        });
      }
    } finally {
      isOver = true;
      await looking;
      await loop.stop();
    }
    assert.equal(await lost.worker.used(), 4);
    assert.equal((await lost.worker.find(lost.taskId)).state, 'reconciling', 'it is still looked for');
    assert.deepEqual(await suite.readsOf(lost.machineId), []);
  });

  it('take one read for each page that is asked for, of all workers together', async () => {
    const tenantId = randomUUID();
    const budget = budgetOf(tenantId, 100, hourMs);
    const lost = await suite.lose(madeAndSilent, { budget });
    await suite.untilOver(lost);
    const reads = await suite.readsOf(lost.machineId);
    assert.ok(reads.length > 0);
    assert.deepEqual(await budget.used(), [reads.length]);
  });
});
