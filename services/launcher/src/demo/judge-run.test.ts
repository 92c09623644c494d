import assert from 'node:assert/strict';
import { judgeRun, type FinishedRun } from './judge-run.ts';

const [first, second, unknown] = ['a'.repeat(32), 'b'.repeat(32), `dead${'0'.repeat(28)}`];

/** A run that ended as it must: malformed, started, the same machine again, unknown machine, another machine. */
const good = {
  expected: [
    { kind: 'rejected' },
    { kind: 'started', machineId: first },
    { kind: 'started', machineId: first, with: 1 },
    { kind: 'unknown-machine', machineId: unknown },
    { kind: 'started', machineId: second },
  ],
  atTheDoor: [
    { index: 0, status: 'rejected' },
    { index: 1, status: 'accepted' },
    { index: 2, status: 'coalesced' },
    { index: 3, status: 'accepted' },
    { index: 4, status: 'accepted' },
  ],
  inTheEnd: [
    { index: 0, status: 'rejected' },
    { index: 1, status: 'started', investigationId: '5146' },
    { index: 2, status: 'started', investigationId: '5146' },
    { index: 3, status: 'failed', error: { code: 'machine_not_found', message: 'unknown' } },
    { index: 4, status: 'started', investigationId: '5147' },
  ],
  calls: [
    { operation: 'initiateInvestigation', atMs: 0, machineId: first, status: 200, investigationId: '5146' },
    { operation: 'initiateInvestigation', atMs: 1, machineId: unknown, status: 404 },
    {
      operation: 'initiateInvestigation',
      atMs: 1_000,
      machineId: second,
      status: 200,
      investigationId: '5147',
    },
  ],
  limit: 2,
  windowMs: 1_000,
} satisfies FinishedRun;

function faultsOf(change: Partial<FinishedRun>): readonly string[] {
  return judgeRun({ ...good, ...change }).faults;
}

function endingAs(index: number, change: Partial<FinishedRun['inTheEnd'][number]>) {
  return { inTheEnd: good.inTheEnd.map((item) => (item.index === index ? { ...item, ...change } : item)) };
}

describe('the judgement of a run', () => {
  it('finds no fault where everything ended as it must, calls one window apart included', () => {
    assert.deepEqual(judgeRun(good), { faults: [], mostInAnyWindow: 2 });
  });

  it('expects no call for a machine of which Defender said before that it does not know it', () => {
    const ended = endingAs(3, { error: { code: 'machine_unknown', message: 'unknown' } });
    const calls = good.calls.filter(({ machineId }) => machineId !== unknown);
    assert.deepEqual(faultsOf({ ...ended, calls }), []);
    assert.deepEqual(faultsOf(ended), ['3 calls arrived at Defender, expected 2']);
    assert.deepEqual(faultsOf({ calls }), ['2 calls arrived at Defender, expected 3']);
  });

  it('finds one call too many in a rolling window', () => {
    const calls = good.calls.map((call) => ({ ...call, atMs: Math.min(call.atMs, 999) }));
    assert.deepEqual(faultsOf({ calls }), ['3 calls arrived within 1000 ms, allowed are 2']);
  });

  it('finds a second investigation of the same machine', () => {
    const calls = [
      ...good.calls,
      {
        operation: 'initiateInvestigation',
        atMs: 9_000,
        machineId: first,
        status: 200,
        investigationId: '5148',
      },
    ];
    assert.deepEqual(faultsOf({ calls }), [
      '4 calls arrived at Defender, expected 3',
      `machine ${first} has 2 investigations, expected one`,
    ]);
  });

  it('finds a call that Defender refused for coming too early', () => {
    const calls = good.calls.map((call) => (call.machineId === unknown ? { ...call, status: 429 } : call));
    assert.deepEqual(faultsOf({ calls }), ['Defender refused 1 calls for coming too early']);
  });

  it('finds an item that ended otherwise, whatever it should have been', () => {
    assert.deepEqual(faultsOf(endingAs(0, { status: 'started' })), [
      'item 1 ended as started, expected rejected',
    ]);
    assert.deepEqual(faultsOf(endingAs(1, { status: 'unknown' })), [
      'item 2 ended as unknown, expected started',
    ]);
    assert.deepEqual(faultsOf(endingAs(3, { error: { code: 'retired', message: '' } })), [
      'item 4 failed with retired, expected machine_unknown or machine_not_found',
    ]);
    assert.deepEqual(faultsOf({ inTheEnd: good.inTheEnd.slice(1) }), ['item 1 is missing from the answers']);
  });

  it('finds a repeated machine that was not coalesced', () => {
    const atTheDoor = good.atTheDoor.map((item) => ({
      ...item,
      status: item.index === 2 ? 'accepted' : item.status,
    }));
    assert.deepEqual(faultsOf({ atTheDoor }), ['item 3 was accepted, expected coalesced']);
  });

  it('finds an investigation id that is missing, or is not of this machine', () => {
    const inTheEnd = good.inTheEnd.map(({ index, status }) => ({ index, status }));
    assert.ok(faultsOf({ inTheEnd }).includes('item 5 started without an investigation id'));
    assert.deepEqual(faultsOf(endingAs(4, { investigationId: '5146' })), [
      'item 5 has investigation 5146, which Defender did not start for its machine',
    ]);
  });
});
