import assert from 'node:assert/strict';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { once, EventEmitter } from 'node:events';
import { mock } from 'node:test';
import { idleSecondsBetween, startStatePoll } from './state-poll.ts';
import type { QueueState } from '../estimates/queue-state.ts';

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
      limits: oneLimit(5, 3_600_000, slotsInUse),
      slotsInUse,
      hold,
      holdsOn: held ? ['paused'] : [],
      isLost: false,
    },
    backlog: {
      counts,
      waitingTasks: waiting,
      lookingUp: 0,
      openResults: 0,
      aside: { machineBusy: 0, machineOffline: 0 },
      slotsSaved: { machine_unknown: 0, already_covered: 0 },
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

type Polled = Parameters<typeof startStatePoll>[0];

/** A queue of a name, and how it is read. */
function queueNamed(tenant: string, readState: () => Promise<QueueState>) {
  const stateFeed = { show: () => {}, fail: () => {} };
  return {
    queue: { tenant, operation: 'initiateInvestigation', tag: tenant } as const,
    parts: { readState, stateFeed },
    metrics: { showState: () => {}, addSlotIdleSeconds: (_seconds: number) => {} },
  };
}

function pollOne({
  readState,
  addSlotIdleSeconds = () => {},
  ...options
}: Pick<Polled, 'intervalMs' | 'onFailure' | 'onRecovery'> & {
  readState: () => Promise<QueueState>;
  addSlotIdleSeconds?: (seconds: number) => void;
}) {
  const queue = queueNamed('one', readState);
  const polled = { ...queue, metrics: { ...queue.metrics, addSlotIdleSeconds } };
  return startStatePoll({ ...options, due: async () => [polled] });
}

describe('the poll of queue and quota', () => {
  afterEach(() => mock.timers.reset());

  it('does not count time over a gap in its readings, and tells the gap once at either end', async () => {
    const readings: (QueueState | Error)[] = [
      stateAt(0),
      stateAt(1_000),
      new Error('away'),
      new Error('away'),
      stateAt(9_000),
      stateAt(9_500),
    ];
    const reports: string[] = [];
    const progress = new EventEmitter();
    let idleSeconds = 0;
    const stop = pollOne({
      async readState() {
        const reading = readings.shift();
        if (reading === undefined) {
          progress.emit('all read');
          throw new Error('no more');
        }
        if (reading instanceof Error) throw reading;
        return reading;
      },
      addSlotIdleSeconds: (seconds) => (idleSeconds += seconds),
      intervalMs: 0,
      onFailure: () => reports.push('lost'),
      onRecovery: () => reports.push('back'),
    });
    await once(progress, 'all read');
    await stop();
    assert.equal(idleSeconds, 1.5);
    assert.deepEqual(reports, ['lost', 'back', 'lost']);
  });

  it('takes one reading at a time, and none once it is closed', async () => {
    const intervalMs = 1_000;
    mock.timers.enable({ apis: ['setTimeout'] });
    for (const isUnderWay of [true, false]) {
      let taken = 0;
      let finish!: (state: QueueState) => void;
      const stop = pollOne({
        readState: () => {
          taken += 1;
          return new Promise((resolve) => (finish = resolve));
        },
        intervalMs,
        onFailure: () => {},
        onRecovery: () => {},
      });
      await new Promise(setImmediate);
      mock.timers.tick(10 * intervalMs);
      assert.equal(taken, 1, 'while it is under way');
      finish(stateAt(1));
      await new Promise(setImmediate);
      mock.timers.tick(intervalMs - 1);
      assert.equal(taken, 1, 'before the interval is over');
      mock.timers.tick(1);
      await new Promise(setImmediate);
      assert.equal(taken, 2);
      if (!isUnderWay) {
        finish(stateAt(2));
        await new Promise(setImmediate);
      }
      const closing = stop();
      finish(stateAt(2));
      await closing;
      mock.timers.tick(10 * intervalMs);
      assert.equal(taken, 2, 'once it is closed');
    }
  });

  it('reads every other queue while one cannot be read, and names that one', async () => {
    const seen: string[] = [];
    const failed: (readonly string[])[] = [];
    const progress = new EventEmitter();
    const stop = startStatePoll({
      due: async () => [
        queueNamed('a', () => Promise.reject(new Error('away'))),
        queueNamed('b', async () => stateAt(1)),
      ],
      onState: ({ tenant }) => seen.push(tenant),
      intervalMs: 0,
      onFailure: (_error, queues) => {
        failed.push(queues);
        progress.emit('failed');
      },
      onRecovery: () => assert.fail('it is not back'),
    });
    await once(progress, 'failed');
    await stop();
    assert.ok(seen.length > 0 && seen.every((tenant) => tenant === 'b'));
    assert.deepEqual(failed, [['a/initiateInvestigation']]);
  });
});
