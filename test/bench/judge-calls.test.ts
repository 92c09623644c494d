import assert from 'node:assert/strict';
import { countViolations, judgeCalls } from '../../bench/queues/judge-calls.ts';

const rules = { limit: 2, windowMs: 1_000 };
const calls = (...times: number[]) =>
  times.map((atMs, i) => ({ atMs, wallMs: atMs, machineId: `machine-${i}`, status: 200 }));

describe('the judgement on the calls of one of many queues', () => {
  it('finds no violation where the windows are kept to the millisecond', () => {
    assert.equal(countViolations(calls(0, 0, 1_000, 1_000), rules), 0);
  });

  it('counts a call within the window, one refused for its quota, and a second one for a machine', () => {
    assert.equal(countViolations(calls(0, 0, 999), rules), 1);
    const [first, second] = calls(0, 5_000);
    assert.ok(first && second);
    assert.equal(countViolations([first, { ...second, status: 429 }], rules), 1);
    assert.equal(countViolations([first, { ...second, machineId: first.machineId }], rules), 1);
  });

  it('reckons lateness from the call that had the slot before, and what was possible from arrivals', () => {
    const { late, made, possible } = judgeCalls(calls(0, 0, 1_050, 1_060), [10, 20, 1_060, 1_070], {
      ...rules,
      endMs: 1_500,
    });
    assert.deepEqual(late, [40, 40]);
    assert.equal(made, 4);
    assert.ok(Math.abs(possible - 4.12) < 1e-9);
  });

  it('counts what a queue that is called no more could have had until the end', () => {
    const { made, possible } = judgeCalls(calls(0, 0), [0, 0], { ...rules, endMs: 10_000 });
    assert.deepEqual([made, possible], [2, 20]);
    assert.equal(judgeCalls([], [], { ...rules, endMs: 10_000 }).possible, 2);
  });
});
