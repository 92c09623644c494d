import assert from 'node:assert/strict';
import { once, EventEmitter } from 'node:events';
import { idleSecondsBetween, startStatePoll } from './state-poll.ts';
import type { QueueState } from './queue-state.ts';

const counts = { queued: 1, dispatching: 0, started: 0, failed: 0, unknown: 0, cancelled: 0, expired: 0 };

interface Situation {
  waiting?: number;
  used?: number;
  held?: boolean;
}

function stateAt(nowMs: number, { waiting = 1, used = 4, held = false }: Situation = {}): QueueState {
  const hold = held ? { reason: 'paused', untilMs: nowMs + 60_000 } : undefined;
  const slotsInUse = Array.from({ length: used }, () => ({ freeAtMs: nowMs + 1_000, call: undefined }));
  return {
    view: {
      nowMs,
      limit: 5,
      quotaLimit: 5,
      windowMs: 3_600_000,
      slotsInUse,
      hold,
      holdsOn: held ? ['paused'] : [],
      isLost: false,
    },
    backlog: {
      counts,
      waitingDispatches: waiting,
      lookingUp: 0,
      waitingByPriority: { critical: 0, high: 0, medium: waiting, low: 0 },
      oldestSinceMs: waiting === 0 ? undefined : nowMs,
    },
    workers: { state: 'active', alive: 1, lastSeenAtMs: nowMs },
  };
}

describe('time with an idle slot', () => {
  it('is counted from one reading to the next when a slot was free and work ready at both', () => {
    assert.equal(idleSecondsBetween(stateAt(1_000), stateAt(2_500)), 1.5);
  });

  const reasons: [string, Situation][] = [
    ['nothing waited', { waiting: 0 }],
    ['all slots were in use', { used: 5 }],
    ['a hold was on', { held: true }],
  ];
  for (const [name, situation] of reasons) {
    it(`is not counted when ${name} at either reading`, () => {
      assert.equal(idleSecondsBetween(stateAt(1_000, situation), stateAt(2_000)), 0);
      assert.equal(idleSecondsBetween(stateAt(1_000), stateAt(2_000, situation)), 0);
    });
  }

  it('is not counted without an earlier reading, nor backwards', () => {
    assert.equal(idleSecondsBetween(undefined, stateAt(1_000)), 0);
    assert.equal(idleSecondsBetween(stateAt(2_000), stateAt(1_000)), 0);
  });
});

describe('the poll of queue and quota', () => {
  it('does not count time over a gap in its readings, and tells the gap once at either end', async () => {
    const readings: (QueueState | Error)[] = [
      stateAt(0),
      stateAt(1_000),
      new Error('away'),
      new Error('away'),
      stateAt(9_000),
      stateAt(9_500),
    ];
    const told: string[] = [];
    const progress = new EventEmitter();
    let idleSeconds = 0;
    const poll = startStatePoll({
      async readState() {
        const reading = readings.shift();
        if (reading === undefined) {
          progress.emit('all read');
          throw new Error('no more');
        }
        if (reading instanceof Error) throw reading;
        return reading;
      },
      metrics: { showState: () => {}, addSlotIdleSeconds: (seconds) => (idleSeconds += seconds) },
      intervalMs: 0,
      onFailure: () => told.push('lost'),
      onRecovery: () => told.push('back'),
    });
    await once(progress, 'all read');
    await poll.close();
    assert.equal(idleSeconds, 1.5);
    assert.deepEqual(told, ['lost', 'back', 'lost']);
  });

  it('takes one reading at a time, and none once it is closed', async () => {
    let underWay = 0;
    let most = 0;
    let taken = 0;
    const progress = new EventEmitter();
    const poll = startStatePoll({
      async readState() {
        underWay += 1;
        taken += 1;
        most = Math.max(most, underWay);
        await new Promise(setImmediate);
        underWay -= 1;
        if (taken === 5) progress.emit('fifth');
        return stateAt(taken);
      },
      metrics: { showState: () => {}, addSlotIdleSeconds: () => {} },
      intervalMs: 0,
      onFailure: () => {},
      onRecovery: () => {},
    });
    await once(progress, 'fifth');
    await poll.close();
    const takenAtClose = taken;
    // A timer left running would fire before one that is set after it.
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(most, 1);
    assert.equal(taken, takenAtClose);
  });
});
