import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { TerminalStatus } from '@diq/contracts/status.ts';
import { createNewestFailures } from './recent-failures.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

describe('the newest failures', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const find = (limit: number) => createNewestFailures(store.redis, keySpace, retentionMs)(limit);

  async function accept(count: number): Promise<string[]> {
    const items = Array.from({ length: count }, (_, i) => item({ machineId: machine(i + 1) }));
    return (await store.intake.acceptBatch(items, { nowMs: arrivedAtMs })).accepted.flatMap(
      (one) => one?.id ?? [],
    );
  }

  async function end(id: string, status: TerminalStatus): Promise<void> {
    const { id: taskId } = await store.taskOf(id);
    await store.tasks.endWaiting(taskId, { status, attempts: 0 });
  }

  it('are those that ended last, whenever they were asked for, and only what went wrong', async () => {
    const [a = '', b = '', c = '', d = ''] = await accept(5);
    await end(d, 'failed');
    await end(b, 'cancelled');
    await setEnd(a, 'expired', 1);
    await setEnd(c, 'unknown', 2);
    assert.deepEqual(
      (await find(10)).map(({ document }) => [document.id, document.status]),
      [
        [c, 'unknown'],
        [a, 'expired'],
        [d, 'failed'],
      ],
    );
    assert.deepEqual(
      (await find(1)).map(({ document }) => document.id),
      [c],
    );
  });

  it('tell when each ended', async () => {
    const [a = ''] = await accept(1);
    const beforeMs = Date.now();
    await end(a, 'failed');
    const [failure] = await find(10);
    assert.ok(Math.abs((failure?.endedAtMs ?? 0) - beforeMs) < 5_000);
  });

  it('are found among the youngest ones where more ended well since than are looked at', async () => {
    const [a = ''] = await accept(1);
    await end(a, 'failed');
    const later = Date.now() + 2 * retentionMs;
    const others = Array.from({ length: 1_000 }, (_, i) => [later + i, `id-${i}:started:machine:`]).flat();
    await redis.client.zadd(storeKeys(keySpace).ended, ...others);
    const [failure] = await find(10);
    assert.equal(failure?.document.id, a);
    assert.equal(failure?.endedAtMs, undefined);
  });

  /** Ends it, so much later than all that ended before. */
  async function setEnd(id: string, status: TerminalStatus, laterMs: number): Promise<void> {
    await end(id, status);
    const key = storeKeys(keySpace).ended;
    const members = await redis.client.zrange(key, 0, '-1');
    const member = members.find((one) => one.startsWith(id)) ?? '';
    await redis.client.zincrby(key, laterMs * 1_000, member);
  }
});
