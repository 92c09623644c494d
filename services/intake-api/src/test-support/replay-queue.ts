import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'bullmq';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { queueName } from '@diq/queue/store-keys.ts';
import { freeSlots, nextSlotAtMs } from '@diq/quota/forecast.ts';
import type { IntakeUnderTest } from './intake-under-test.ts';

/** One call of a replay, in ms. */
export interface ReplayedCall {
  /** When its permit was spent, on Redis' clock. */
  startMs: number;
  /**
   * How much of that is owed to this machine: calls made later than their slot opened, and the time from call to answer,
   * with all that the calls lost that had the slot before.
   */
  lateMs: number;
}

interface ReplayOptions {
  redis: RedisConnection;
  keySpace: string;
  windowMs: number;
  /** Called for each call with its number. */
  onStart: (count: number) => void;
}

/**
 * Calls everything that waits, the way a worker does, until nothing waits any more: in the queue's own order, and no
 * sooner than the ledger allows. Resolves with what became of each machine.
 */
export async function replayQueue(
  { ledger, tasks }: Pick<IntakeUnderTest, 'ledger' | 'tasks'>,
  { redis, keySpace, windowMs, onStart }: ReplayOptions,
): Promise<Map<string, ReplayedCall>> {
  const calls = new Map<string, ReplayedCall>();
  const lateWhenFreeAt = new Map<number, number>();
  const worker = new Worker(queueName, null, { connection: redis, prefix: keySpace, autorun: false });

  async function call(taskId: string): Promise<void> {
    const task = await tasks.find(taskId);
    assert.ok(task);
    const { machineId } = task;
    const callId = randomUUID();
    const spent = await ledger.spend({ callId, taskId, machineId });
    assert.ok(spent.kind === 'granted');
    const { spentAtMs: startMs, freeSinceMs } = spent;
    const lateMs = startMs - freeSinceMs + (lateWhenFreeAt.get(freeSinceMs) ?? 0);
    calls.set(machineId, { startMs, lateMs });
    onStart(calls.size);
    await tasks.begin(taskId, callId);
    const { freeAtMs = 0 } = (await ledger.recordAnswer(callId, { outcome: 'started', facts: {} })) ?? {};
    lateWhenFreeAt.set(freeAtMs, lateMs + freeAtMs - windowMs - startMs);
    await tasks.settle(taskId, callId, { status: 'started', attempts: 1 });
  }

  try {
    for (;;) {
      const view = await ledger.snapshot();
      if (freeSlots(view) === 0) {
        await delay(nextSlotAtMs(view) - view.nowMs + 1);
        continue;
      }
      const token = randomUUID();
      const job = await worker.getNextJob(token, { block: false });
      if (!job?.id) return calls;
      await call(job.id);
      await job.moveToCompleted(undefined, token, false);
    }
  } finally {
    await worker.close();
  }
}
