import assert from 'node:assert/strict';
import { callWindows } from './call-windows.ts';

const hourMs = 3_600_000;
const nowMs = Date.parse('2026-01-24T12:30:00Z');
const call = (spentAt: string, outcome: string) => ({
  callId: spentAt,
  taskId: '',
  machineId: '',
  spentAt: Date.parse(spentAt),
  outcome,
});

describe('the windows of calls', () => {
  it('are 24, end with the one that is not over, and touch each other', () => {
    const windows = callWindows([], nowMs, hourMs);
    assert.equal(windows.length, 24);
    assert.equal(windows[0]?.from, '2026-01-23T13:00:00.000Z');
    assert.equal(windows.at(-1)?.from, '2026-01-24T12:00:00.000Z');
    for (const [i, { to }] of windows.slice(0, -1).entries()) assert.equal(windows[i + 1]?.from, to);
  });

  it('count each call by outcome in the window in which it was made, at its first moment too', () => {
    const calls = [
      call('2026-01-24T12:00:00Z', 'started'),
      call('2026-01-24T12:29:59Z', 'started'),
      call('2026-01-24T11:59:59Z', 'throttled'),
      call('2026-01-23T12:59:59Z', 'started'),
    ];
    const windows = callWindows(calls, nowMs, hourMs);
    assert.deepEqual(
      windows.slice(-2).map(({ calls }) => calls),
      [{ throttled: 1 }, { started: 2 }],
    );
    const all = windows.flatMap(({ calls }) => Object.values(calls)).reduce((sum, count) => sum + count, 0);
    assert.equal(all, 3, 'what is older than the windows is left out');
  });
});
