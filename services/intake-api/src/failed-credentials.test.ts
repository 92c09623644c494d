import assert from 'node:assert/strict';
import { createFailedCredentials } from './failed-credentials.ts';

const attacker = '203.0.113.9';

describe('wrong credentials', () => {
  let nowMs = 0;
  const open = () => createFailedCredentials(() => nowMs);

  function guess(failed: ReturnType<typeof open>, times: number, address: (i: number) => string): void {
    for (let i = 0; i < times; i += 1) failed.noteFailure(address(i), `guess ${i}`);
  }

  it('stop being looked at after 30 different ones from an address, until a minute is over', () => {
    const failed = open();
    guess(failed, 29, () => attacker);
    assert.equal(failed.refuseForMs(attacker, 'one more'), 0);
    guess(failed, 30, () => attacker);
    assert.equal(failed.refuseForMs(attacker, 'one more'), 60_000);
    nowMs += 59_999;
    assert.equal(failed.refuseForMs(attacker, 'one more'), 1);
    nowMs += 1;
    assert.equal(failed.refuseForMs(attacker, 'one more'), 0);
  });

  it('count for their address alone, an IPv6 network being one and an IPv4 address in both forms', () => {
    const failed = open();
    guess(failed, 30, (i) => `2001:db8:1:${i}::${i}`);
    assert.ok(failed.refuseForMs('2001:db8:1:ff:ffff::1', 'x') > 0);
    assert.equal(failed.refuseForMs('2001:db8:2::1', 'x'), 0);
    guess(failed, 30, () => `::ffff:${attacker}`);
    assert.ok(failed.refuseForMs(attacker, 'x') > 0);
    assert.equal(failed.refuseForMs('203.0.113.10', 'x'), 0);
  });

  it('are no guesses when a client repeats its own', () => {
    const failed = open();
    for (let i = 0; i < 100; i += 1) failed.noteFailure(attacker, 'the same');
    assert.equal(failed.refuseForMs(attacker, 'another'), 0);
  });

  it('lock out nobody who was let in from the same address before', () => {
    const failed = open();
    failed.noteSuccess(attacker, 'good');
    guess(failed, 30, () => attacker);
    assert.equal(failed.refuseForMs(attacker, 'good'), 0);
    assert.ok(failed.refuseForMs(attacker, 'good too') > 0);
  });

  it('are forgotten, the oldest first, when they come from more than 10,000 addresses', () => {
    const failed = open();
    const addressOf = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    guess(failed, 30, () => attacker);
    for (let i = 0; i < 10_000; i += 1) failed.noteFailure(addressOf(i), 'x');
    assert.equal(failed.refuseForMs(attacker, 'one more'), 0);
  });
});
