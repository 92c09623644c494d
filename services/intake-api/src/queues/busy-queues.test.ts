import assert from 'node:assert/strict';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import type { QueueRules, Queue } from '@diq/tenants/tenant.ts';
import type { QueueState } from '../estimates/queue-state.ts';
import { createBusyQueues } from './busy-queues.ts';

const hourMs = 3_600_000;
const rules: QueueRules = { limits: [{ calls: 5, windowMs: hourMs }], reserveForCritical: 0 };
const queues = Array.from({ length: 100 }, (_, i): Queue => {
  const tenant = `tenant-${i}`;
  return {
    tenant,
    tenantId: tenant,
    operation: 'initiateInvestigation',
    ...rules,
    keySpace: tenant,
    tag: tenant,
  };
});
const [first] = queues as [Queue];

/** As Redis shows it, whose clock is another one. */
function stateWith({ queued = 0, freeInMs = [] as number[] }): QueueState {
  const nowMs = 1_750_000_000_000;
  const slotsInUse = freeInMs.map((ms) => ({ freeAtMs: nowMs + ms, call: undefined }));
  const counts = { queued, dispatching: 0, started: 0, failed: 0, unknown: 0, cancelled: 0, expired: 0 };
  return {
    view: {
      nowMs,
      limits: oneLimit(5, hourMs, slotsInUse),
      slotsInUse,
      hold: undefined,
      holdsOn: [],
      isLost: false,
    },
    backlog: {
      counts,
      waitingTasks: queued,
      lookingUp: 0,
      openResults: 0,
      aside: { machineBusy: 0, machineOffline: 0 },
      slotsSaved: { machine_unknown: 0, already_covered: 0 },
      waitingByPriority: { critical: 0, high: 0, medium: queued, low: 0 },
      oldestSinceMs: undefined,
    },
    workers: { state: 'active', alive: 1 },
  };
}

describe('which of many queues are read', () => {
  let nowMs = 0;
  let listenedTo: string | undefined;
  let busy: ReturnType<typeof createBusyQueues>;
  beforeEach(() => {
    nowMs = 0;
    listenedTo = undefined;
    busy = createBusyQueues({
      queues: () => queues,
      hasWork: async () => [],
      isListenedTo: ({ tag }) => tag === listenedTo,
      intervalMs: 1_000,
      nowMs: () => nowMs,
    });
  });

  it('are none while nothing happens', async () => {
    assert.deepEqual(await busy.due(), []);
  });

  it('is one that is asked about, and one with open requests until it has been quiet for a while', async () => {
    busy.saw(first, stateWith({ queued: 1 }));
    nowMs = 39_999;
    assert.deepEqual(await busy.due(), [first]);
    nowMs = 40_000;
    assert.deepEqual(await busy.due(), []);
    busy.mark(first);
    assert.deepEqual(await busy.due(), [first]);
  });

  it('is one with an open stream of its changes, for as long as it is open', async () => {
    listenedTo = first.tag;
    for (nowMs of [0, 60_000]) assert.deepEqual(await busy.due(), [first]);
    listenedTo = undefined;
    nowMs = 100_000;
    assert.deepEqual(await busy.due(), []);
  });

  it('is one whose calls count for an hour not all that hour, but when the first of them counts no more', async () => {
    busy.saw(first, stateWith({ freeInMs: [1_000_000, 2_000_000] }));
    for (nowMs of [1_000, 30_000, 999_999]) assert.deepEqual(await busy.due(), []);
    nowMs = 1_000_000;
    assert.deepEqual(await busy.due(), [first]);
    busy.saw(first, stateWith({ freeInMs: [1_000_000] }));
    assert.deepEqual(await busy.due(), []);
    nowMs = 2_000_000;
    assert.deepEqual(await busy.due(), [first]);
    busy.saw(first, stateWith({}));
    nowMs = Number.MAX_SAFE_INTEGER;
    assert.deepEqual(await busy.due(), []);
  });

  it('are many in turns: each once in 30 s, beside the one whose changes are followed, which is read every time', async () => {
    const many = Array.from({ length: 1_000 }, (_, i) => ({ ...first, tag: `busy-${i}` }));
    busy = createBusyQueues({
      queues: () => many,
      hasWork: async () => [],
      isListenedTo: ({ tag }) => tag === 'busy-500',
      intervalMs: 1_000,
      nowMs: () => nowMs,
    });
    many.forEach((queue) => busy.mark(queue));
    const read = new Map<string, number>();
    for (let second = 0; second < 30; second += 1) {
      nowMs = second * 1_000;
      const due = await busy.due();
      assert.ok(due.length <= 35, `${due.length} at once`);
      for (const { tag } of due) read.set(tag, (read.get(tag) ?? 0) + 1);
    }
    assert.equal(read.size, 1_000);
    assert.equal(read.get('busy-500'), 30);
    assert.ok([...read.values()].filter((times) => times > 1).length <= 25);
  });

  it('are not asked for work while they are known to have some', async () => {
    const asked: string[] = [];
    busy = createBusyQueues({
      queues: () => queues,
      hasWork: async (some) => {
        asked.push(...some.map(({ tag }) => tag));
        return [];
      },
      isListenedTo: () => false,
      intervalMs: 60_000,
      nowMs: () => nowMs,
    });
    busy.mark(first);
    await busy.due();
    assert.deepEqual(
      asked,
      queues.slice(1).map(({ tag }) => tag),
    );
  });
});
