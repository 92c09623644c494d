import assert from 'node:assert/strict';
import { createFailedCredentials } from './brute-force-guard.ts';

const attacker = '203.0.113.9';

describe('wrong credentials', () => {
  let nowMs = 0;
  const open = () => createFailedCredentials(() => nowMs);

  type Guard = ReturnType<typeof open>;

  /** For how long this one is not looked at; it is not counted by being asked for. */
  function refusedForMs(failed: Guard, address: string, credential: string): number {
    const trial = failed.begin(address, credential);
    if ('refusedForMs' in trial) return trial.refusedForMs;
    trial.undecided();
    return 0;
  }

  function present(failed: Guard, address: string, credential: string, end: 'good' | 'wrong'): void {
    const trial = failed.begin(address, credential);
    if (!('refusedForMs' in trial)) trial[end]();
  }

  function guess(failed: Guard, times: number, address: (i: number) => string): void {
    for (let i = 0; i < times; i += 1) present(failed, address(i), `guess ${i}`, 'wrong');
  }

  it('stop being looked at after 30 different ones from an address, until a minute is over', () => {
    const failed = open();
    guess(failed, 29, () => attacker);
    assert.equal(refusedForMs(failed, attacker, 'one more'), 0);
    guess(failed, 30, () => attacker);
    assert.equal(refusedForMs(failed, attacker, 'one more'), 60_000);
    nowMs += 59_999;
    assert.equal(refusedForMs(failed, attacker, 'one more'), 1);
    nowMs += 1;
    assert.equal(refusedForMs(failed, attacker, 'one more'), 0);
  });

  it('count for their address alone, an IPv6 network being one and an IPv4 address in both forms', () => {
    const failed = open();
    guess(failed, 30, (i) => `2001:db8:1:${i}::${i}`);
    assert.ok(refusedForMs(failed, '2001:db8:1:ff:ffff::1', 'x') > 0);
    assert.equal(refusedForMs(failed, '2001:db8:2::1', 'x'), 0);
    guess(failed, 30, () => `::ffff:${attacker}`);
    assert.ok(refusedForMs(failed, attacker, 'x') > 0);
    assert.equal(refusedForMs(failed, '203.0.113.10', 'x'), 0);
  });

  it('are no guesses when a client repeats its own', () => {
    const failed = open();
    for (let i = 0; i < 100; i += 1) present(failed, attacker, 'the same', 'wrong');
    assert.equal(refusedForMs(failed, attacker, 'another'), 0);
  });

  it('lock out no caller that was let in from the same address before', () => {
    const failed = open();
    present(failed, attacker, 'good', 'good');
    guess(failed, 30, () => attacker);
    assert.equal(refusedForMs(failed, attacker, 'good'), 0);
    assert.ok(refusedForMs(failed, attacker, 'good too') > 0);
  });

  it('count from the moment they are begun with: of many at once no more are looked at than of many in a row', () => {
    const failed = open();
    const trials = Array.from({ length: 400 }, (_, i) => failed.begin(attacker, `token ${i}`));
    assert.equal(trials.filter((trial) => !('refusedForMs' in trial)).length, 30);
    assert.equal(refusedForMs(failed, attacker, 'another'), 1_000, 'those that are looked at may be good');
    for (const trial of trials) if (!('refusedForMs' in trial)) trial.wrong();
    assert.equal(refusedForMs(failed, attacker, 'another'), 60_000);
  });

  it('are no longer counted once they turn out good, or cannot be checked', () => {
    const failed = open();
    for (let i = 0; i < 100; i += 1) present(failed, attacker, `good ${i}`, 'good');
    for (let i = 0; i < 100; i += 1) assert.equal(refusedForMs(failed, attacker, `undecided ${i}`), 0);
  });

  it('are forgotten, the oldest first, when they come from more than 10,000 addresses', () => {
    const failed = open();
    const addressOf = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    guess(failed, 30, () => attacker);
    for (let i = 0; i < 10_000; i += 1) present(failed, addressOf(i), 'x', 'wrong');
    assert.equal(refusedForMs(failed, attacker, 'one more'), 0);
  });
});
