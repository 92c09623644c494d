import assert from 'node:assert/strict';
import { createJournal, type RecordedCall } from './journal.ts';

const windowMs = 1_000;
const record = (n: number, outcome = 'started'): RecordedCall => {
  const call = { callId: `call-${n}`, taskId: `task-${n}`, machineId: 'm', spentAt: n, outcome };
  return { call, json: JSON.stringify(call), countsFromMs: n };
};
const spent = (n: number) => ({
  callId: `call-${n}`,
  taskId: `task-${n}`,
  machineId: 'm',
  spentAt: n,
  callTimeoutMs: 10,
  used: 1,
  limit: 5,
});
const sight = (nowMs: number, ...inUse: RecordedCall[]) => ({ nowMs, windowMs, inUse, sinceMs: -Infinity });

describe('the journal of calls', () => {
  const idsOf = (journal: ReturnType<typeof createJournal>) => journal.all().map(({ call }) => call.callId);

  it('is bounded: the oldest go first, whether made or seen', () => {
    const journal = createJournal(3);
    for (const n of [1, 2]) journal.spent(spent(n));
    journal.saw(sight(5, record(1), record(2), record(3), record(4)));
    assert.deepEqual(idsOf(journal), ['call-2', 'call-3', 'call-4']);
  });

  it('drops the calls that the ledger drops, and none that is just as old as the bound', () => {
    const journal = createJournal(10);
    journal.saw(sight(5, record(1), record(2)));
    journal.forgetBefore(2);
    assert.deepEqual(idsOf(journal), ['call-2']);
  });

  it('keeps the first answer to a call', () => {
    const journal = createJournal(10);
    journal.spent(spent(1));
    journal.answered('call-1', { outcome: 'started', facts: { investigationId: '7' } }, 5);
    journal.answered('call-1', { outcome: 'lost', facts: {} }, 9);
    const found = journal.find('call-1');
    assert.deepEqual([found?.call.outcome, found?.countsFromMs], ['started', 5]);
    assert.deepEqual(JSON.parse(found?.json ?? ''), found?.call);
  });

  it('is ahead of a ledger that misses a call of its own, for as long as that counts', () => {
    const journal = createJournal(10);
    journal.spent(spent(1));
    assert.equal(journal.isAheadOf(sight(11 + windowMs - 1)), true);
    assert.equal(journal.isAheadOf(sight(11 + windowMs)), false);
    journal.forget('call-1');
    assert.equal(journal.isAheadOf(sight(20)), false);
  });

  it('is ahead of a ledger that takes a call for one in flight whose outcome it has seen', () => {
    const journal = createJournal(10);
    journal.saw(sight(5, record(1)));
    assert.equal(journal.isAheadOf(sight(6, record(1, 'in_flight'))), true);
    assert.equal(journal.isAheadOf(sight(6, record(1))), false);
  });

  it('takes over the outcome of a call of its own that another process recorded', () => {
    const journal = createJournal(10);
    journal.spent(spent(1));
    journal.saw(sight(5, record(1, 'lost')));
    assert.equal(journal.find('call-1')?.call.outcome, 'lost');
    journal.saw(sight(6));
    assert.equal(
      journal.find('call-1')?.call.outcome,
      'lost',
      'still its own: no other process can take it back',
    );
  });

  it('lets go of a call of another that was given back while it counts, not of one that no longer counts', () => {
    const journal = createJournal(10);
    journal.saw(sight(5, record(1), record(4)));
    journal.saw(sight(1 + windowMs));
    assert.deepEqual(idsOf(journal), ['call-1']);
  });
});
