import assert from 'node:assert/strict';
import { mock } from 'node:test';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { createQueueLooks } from './queue-looks.ts';
import type { QueueNeeds } from './queue-needs.ts';
import type { PollTurns } from './poll-turns.ts';

const redisNowMs = 1_800_000_000_000;
const nothing: QueueNeeds = {
  ready: 0,
  claimed: 0,
  waiting: 0,
  blocked: 0,
  offline: 0,
  running: 0,
  unresolved: 0,
  aside: 0,
  deadlineMs: undefined,
  callBeganMs: undefined,
  queryMs: undefined,
  resultMs: redisNowMs + 30_000,
};

describe('a queue that rests but for its results', () => {
  let nowMs: number;
  let nextResultMs: number | undefined;
  let counts: { snapshots: number; needs: number; follows: number };
  beforeEach(() => {
    nowMs = 0;
    nextResultMs = redisNowMs + 30_000;
    counts = { snapshots: 0, needs: 0, follows: 0 };
    mock.method(performance, 'now', () => nowMs);
  });
  afterEach(() => mock.restoreAll());

  function open() {
    return createQueueLooks({
      claimLayout: async () => undefined,
      async snapshot() {
        counts.snapshots += 1;
        return { nowMs: redisNowMs + nowMs, slotsInUse: [], holdsOn: [] } as unknown as LedgerSnapshot;
      },
      async readNeeds() {
        counts.needs += 1;
        return nothing;
      },
      async follow() {
        counts.follows += 1;
      },
      nextResultMs: async () => nextResultMs,
      maintenance: { attend: () => undefined, unsettled: () => undefined },
      createTurns: ({ snapshot, countReady }) =>
        ({
          async turn() {
            await Promise.all([snapshot(), countReady()]);
            return 1_000;
          },
          inFlight: () => 0,
          blockedUntilMs: () => 0,
        }) as unknown as PollTurns,
    });
  }

  it('is looked at a moment longer, and then rests until the next result is due', async () => {
    const looks = open();
    assert.equal((await looks.look()).kind, 'again');
    nowMs = 1_500;
    assert.deepEqual(await looks.look(), { kind: 'rest', dueMs: 28_500 });
  });

  it('is followed without a look at its ledger or its jobs, by the clock of Redis', async () => {
    const looks = open();
    await looks.look();
    const before = { ...counts };
    nowMs = 30_000;
    nextResultMs = redisNowMs + 60_000;
    assert.deepEqual(await looks.follow(), { kind: 'rest', dueMs: 30_000 });
    assert.deepEqual(counts, { ...before, follows: 1 });
  });

  it('is followed again soon where another worker reads what is due, and rests where no result is left', async () => {
    const looks = open();
    await looks.look();
    nowMs = 40_000;
    assert.deepEqual(await looks.follow(), { kind: 'rest', dueMs: 2_000 });
    nextResultMs = undefined;
    assert.deepEqual(await looks.follow(), { kind: 'rest' });
  });

  it('is looked at where the connection to Redis is a new one', async () => {
    const looks = open();
    await looks.look();
    looks.reconnected();
    assert.equal((await looks.follow()).kind, 'again');
    assert.equal(counts.follows, 0);
  });
});
