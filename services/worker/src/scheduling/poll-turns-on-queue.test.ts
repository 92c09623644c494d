import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { answerStarted, answerStatus } from '../test-support/defender.ts';
import type { PollLoop } from '../test-support/loop-world.ts';
import type { TestWorkerOptions } from '../test-support/test-worker-parts.ts';
import { useBench } from '../test-support/use-bench.ts';

describe('claim loops on the real queue, limiter and ledger', () => {
  const suite = useBench(useEmbeddedRedis());
  let loops: PollLoop[];

  async function startWorkers(count: number, options: Partial<TestWorkerOptions>) {
    const workers = await Promise.all(Array.from({ length: count }, () => suite.openWorker(options)));
    loops = await Promise.all(workers.map((worker) => worker.startLoop()));
    return workers;
  }
  /** Every loop has looked again: had it wanted to claim, it would have. */
  async function furtherTurn() {
    const before = loops.map((loop) => loop.lastTurnAtMs());
    const haveTurned = () => loops.every((loop, i) => loop.lastTurnAtMs() > before[i]!);
    await waitFor(haveTurned, { what: 'a further turn', intervalMs: 5 });
  }
  async function acceptMany(count: number) {
    return Promise.all(Array.from({ length: count }, () => suite.bench.accept()));
  }
  async function jobs() {
    const { redis, queueKey } = suite.bench;
    const [active, prioritized] = await Promise.all([
      redis.lrange(queueKey('active'), 0, -1),
      redis.zrange(queueKey('prioritized'), 0, '-1'),
    ]);
    return { active, prioritized };
  }

  it('use every slot, never more, and hold no job while all slots are used', async () => {
    const accepted = await acceptMany(5);
    await startWorkers(2, { limit: 2 });
    const settled = async () => {
      const { active, prioritized } = await jobs();
      return active.length === 0 && prioritized.length === 3;
    };
    await waitFor(settled, { what: 'two calls to be made' });
    await furtherTurn();
    const { active, prioritized } = await jobs();
    assert.deepEqual(active, []);
    assert.equal(prioritized.length, 3);
    assert.equal(suite.defender.calls.length, 2);
    for (const id of prioritized) {
      const [made, begun] = await suite.bench.redis.hmget(suite.bench.queueKey(id), 'atm', 'ats');
      assert.ok((made ?? '0') === '0' && (begun ?? '0') === '0', `${made} made, ${begun} begun`);
    }
    const attempts = await Promise.all(
      accepted.map(async (one) => (await suite.bench.read(one.requestId)).attempts),
    );
    assert.equal(
      attempts.reduce((sum, made) => sum + made, 0),
      2,
    );
  });

  it('choose at the last moment: what is urgent when the slot opens wins it, at once', async () => {
    const windowMs = 800;
    const [worker] = await startWorkers(1, { limit: 1, windowMs });
    await suite.bench.accept();
    await waitFor(async () => suite.defender.calls.length === 1, { what: 'the first call', intervalMs: 5 });
    await waitFor(async () => (await jobs()).active.length === 0, { what: 'its outcome', intervalMs: 5 });
    const [slot] = (await worker!.ledger.snapshot()).slotsInUse;
    await suite.bench.accept({ priority: 'low' });
    const urgent = await suite.bench.accept({ priority: 'critical' });
    await waitFor(() => suite.defender.calls.length === 2, { what: 'the second call', intervalMs: 5 });
    const { slotsInUse } = await worker!.ledger.snapshot();
    const lagMs = (slotsInUse.at(-1)?.call?.spentAt ?? 0) - (slot?.freeAtMs ?? 0);
    assert.ok(lagMs >= 0 && lagMs < 500, `${lagMs} ms after the slot opened`);
    assert.equal(suite.defender.calls[1], (await suite.bench.read(urgent.requestId)).machineId);
  });

  it('all stand still while a hold is on that one of them met', async () => {
    suite.defender.answer = answerStatus(429, { 'retry-after': '30' });
    const workers = await startWorkers(2, { limit: 5 });
    await acceptMany(1);
    await waitFor(async () => (await workers[0]!.ledger.snapshot()).hold, { what: 'the hold' });
    suite.defender.answer = answerStarted;
    await acceptMany(3);
    await furtherTurn();
    assert.equal(suite.defender.calls.length, 1);
    assert.deepEqual((await jobs()).active, []);
  });

  it('lose no slot to calls that never left', async () => {
    const closed = `http://127.0.0.1:${await findFreePort()}`;
    const accepted = await acceptMany(1);
    const [cutOff] = await startWorkers(1, { limit: 1, defenderUrl: closed });
    await waitFor(async () => (await cutOff!.ledger.snapshot()).hold?.reason === 'unreachable', {
      what: 'the hold',
    });
    await cutOff!.close();
    assert.equal((await suite.bench.read(accepted[0]!.requestId)).status, 'queued');
    await suite.bench.endHolds();
    const startedMs = performance.now();
    await startWorkers(1, { limit: 1 });
    await waitFor(() => suite.defender.calls.length === 1, { what: 'the call', intervalMs: 5 });
    assert.ok(performance.now() - startedMs < 2_000);
  });
});
