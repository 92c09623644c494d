import assert from 'node:assert/strict';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { describeQuota } from '../views/quota-view.ts';
import { createWorkerWatch } from './queue-state.ts';

interface Situation {
  alive?: number;
  waiting?: number;
  critical?: number;
  reserve?: number;
  held?: boolean;
  /** When each call was made whose slot is in use. */
  calls?: number[];
}

const counts = { queued: 1, dispatching: 0, started: 0, failed: 0, unknown: 0, cancelled: 0, expired: 0 };

/** A watch on a clock of the test, and what it says of a situation that lasts, read once a second. */
function watching() {
  let nowMs = 0;
  const watch = createWorkerWatch(() => nowMs);
  const saw = (situation: Situation) => watch.saw(stateOf(situation));
  return {
    watch,
    pass: (ms: number) => void (nowMs += ms),
    saw,
    stateAfter(seconds: number, situation: Situation = {}) {
      for (let i = 0; i < seconds; i += 1) {
        saw(situation);
        nowMs += 1_000;
      }
      return saw(situation).state;
    },
  };
}

function stateOf({ alive = 1, waiting = 1, critical = 0, reserve = 0, held = false, calls = [] }: Situation) {
  const slotsInUse = calls.map((spentAt, n) => ({
    freeAtMs: spentAt + 3_600_000,
    call: { callId: `c-${n}`, taskId: 'd', machineId: 'm', spentAt, outcome: 'started' },
  }));
  return {
    view: {
      nowMs: 10_000,
      limits: oneLimit(5, 3_600_000, slotsInUse),
      slotsInUse,
      hold: held ? { reason: 'throttled', untilMs: 70_000 } : undefined,
      holdsOn: held ? ['throttled'] : [],
      isLost: false,
      workers: { alive, lastSeenAtMs: 9_000 },
    },
    backlog: {
      counts,
      lookingUp: 0,
      openResults: 0,
      aside: { machineBusy: 0, machineOffline: 0 },
      waitingTasks: waiting,
      slotsSaved: { machine_unknown: 0, already_covered: 0 },
      waitingByPriority: { critical, high: 0, medium: waiting - critical, low: 0 },
      oldestSinceMs: 0,
    },
    reserveForCritical: reserve,
  };
}

describe('the workers, as the intake sees them', () => {
  it('are absent as soon as none is alive, whatever else is the case', () => {
    for (const situation of [{ alive: 0 }, { alive: 0, held: true }, { alive: 0, waiting: 0 }]) {
      assert.deepEqual(watching().saw(situation), { state: 'absent', alive: 0, lastSeenAtMs: 9_000 });
    }
  });

  it('are stalled once a slot was free and work ready at every reading of 30 s', () => {
    assert.equal(watching().stateAfter(29), 'active');
    assert.equal(watching().stateAfter(30), 'stalled');
  });

  const excused: Record<string, Situation> = {
    'nothing waits': { waiting: 0 },
    'a hold is on': { held: true },
    'all slots are in use': { calls: [1, 2, 3, 4, 5] },
    'only slots for critical requests are free, and none such waits': { reserve: 1, calls: [1, 2, 3, 4] },
  };
  for (const [why, situation] of Object.entries(excused)) {
    it(`are not stalled while ${why}, and the time begins anew after it`, () => {
      const workers = watching();
      assert.equal(workers.stateAfter(100, situation), 'active');
      workers.stateAfter(20);
      workers.saw(situation);
      assert.equal(workers.stateAfter(29), 'active');
      assert.equal(workers.stateAfter(1), 'stalled');
    });
  }

  it('give no time by which all will have started once they are stalled', () => {
    const workers = { alive: 1, lastSeenAtMs: 9_000 };
    const drainWhile = (state: 'active' | 'stalled') =>
      describeQuota({ ...stateOf({}), workers: { ...workers, state } }, undefined, {
        tenant: 'default',
        operation: 'initiateInvestigation',
      }).queue.expectedDrainAt;
    assert.equal(typeof drainWhile('active'), 'string');
    assert.equal(drainWhile('stalled'), null);
  });

  it('are stalled while a critical request waits and its slot is free', () => {
    assert.equal(watching().stateAfter(30, { reserve: 1, critical: 1, calls: [1, 2, 3, 4] }), 'stalled');
  });

  it('are not stalled while they call, though a slot is free at every reading', () => {
    const workers = watching();
    for (let second = 0; second < 100; second += 10) {
      assert.equal(workers.stateAfter(10, { calls: [second] }), 'active');
    }
  });

  it('are not taken for stalled after a gap in the readings: the time begins anew', () => {
    const workers = watching();
    workers.stateAfter(20);
    workers.pass(20_001);
    assert.equal(workers.saw({}).state, 'active');
  });

  it('are reported as of the last reading, and not at all once that is old', () => {
    const { watch, pass, saw } = watching();
    assert.equal(watch.lastReport(), undefined);
    saw({ alive: 2 });
    pass(20_000);
    assert.equal(watch.lastReport()?.alive, 2);
    pass(1);
    assert.equal(watch.lastReport(), undefined);
  });
});
