import assert from 'node:assert/strict';
import { itemError } from '@diq/contracts/item-answer.ts';
import { itemRulesOf, parseItem } from '@diq/contracts/investigation-item.ts';
import { boundRefusals, refuseItem, withMessage, type RefusedItem } from './item-refusal.ts';
import { item } from '../test-support/items.ts';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';

const rules = itemRulesOf(initiateInvestigation);

const nowMs = Date.parse('2026-01-24T12:00:00Z');

function refuse(input: unknown, index = 0): RefusedItem {
  const parsed = parseItem(input, nowMs, rules);
  assert.ok(!parsed.ok, 'the item is refused');
  return refuseItem(index, input, parsed);
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

describe('the refusal of an item', () => {
  const hostile: [string, unknown][] = [
    ['a thousand unknown fields', Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, 1]))],
    ['an unknown field of 100,000 characters', { ['k'.repeat(100_000)]: 1 }],
    ['a field named by control characters', { ...item(1), ['\u0001'.repeat(64)]: 1 }],
    ['a field named by emoji', { ...item(1), ['🚨'.repeat(64)]: 1 }],
    ['a field named by halves of characters', { ...item(1), ['\ud83d'.repeat(64)]: 1 }],
    ['a machine id of control characters', { ...item(1), machineId: '\u0001'.repeat(64) }],
    ['a machine id that ends in half a character', { ...item(1), machineId: 'abc\ud83d' }],
    ['a machine id of emoji', { ...item(1), machineId: '🚨'.repeat(32) }],
    [
      'correlation fields with long names',
      {
        ...item(1),
        correlation: Object.fromEntries('abcdefghij'.split('').map((c) => [c.repeat(5_000), 1])),
      },
    ],
  ];
  for (const [name, input] of hostile) {
    it(`takes at most 700 bytes for ${name}, and holds whole characters only`, () => {
      const { rejected } = refuse(input);
      assert.ok(bytesOf(rejected) <= 700, `${bytesOf(rejected)} bytes`);
      assert.doesNotMatch(JSON.stringify(rejected), /\\ud[89a-f]/i);
      assert.ok(itemError.safeParse(rejected.error).success);
    });
  }

  it('holds whole characters only, whatever the faults that it is made of hold', () => {
    for (const path of ['half \ud83d', `${'x'.repeat(95)}🚨`, `${'🚨'.repeat(64)}\udea8`]) {
      const { rejected } = refuseItem(0, {}, { faults: [{ path, message: path }], faultCount: 1 });
      assert.doesNotMatch(JSON.stringify(rejected), /\\ud[89a-f]/i);
    }
  });

  it('names the first fault and how many there are besides', () => {
    const { error } = refuse({ comment: '', x: 1, y: 2 }).rejected;
    assert.deepEqual(error, {
      code: 'invalid_item',
      errors: [{ path: 'machineId', message: 'is required' }],
      furtherFaults: 3,
      message: 'machineId is required; and 3 more.',
    });
  });

  it('is the same sentence again when it is read from the store without it', () => {
    const { error } = refuse({ comment: '', x: 1 }).rejected;
    const { message, ...stored } = error;
    assert.equal(withMessage(stored).message, message);
  });
});

describe('the refusals of a batch', () => {
  it('are listed in full where they are few, in the places of their items', () => {
    const entries = [item(1, { priority: 'low' as const }), refuse({}, 1), refuse(7, 2)];
    assert.deepEqual(boundRefusals(entries as RefusedItem[]), { entries, withoutFault: 0 });
  });

  it('keep within a bound in all, whatever was posted: those behind it have the code and their number', () => {
    const long = { ...item(1), machineId: 'x'.repeat(64), ['🚨'.repeat(64)]: 1, y: 2 };
    const given = Array.from({ length: 10_000 }, (_, index) => refuse(long, index));
    const { entries, withoutFault } = boundRefusals(given);
    const refused = entries as RefusedItem[];
    const detailed = refused.filter(({ rejected }) => rejected.error.errors.length > 0);
    assert.equal(detailed.length + withoutFault, 10_000);
    assert.ok(withoutFault > 0 && detailed.length > 500, `${detailed.length} detailed`);
    assert.ok(bytesOf(detailed) <= 600 * 1_024, `${bytesOf(detailed)} bytes`);
    assert.deepEqual(
      refused.map(({ rejected }) => rejected.index),
      given.map((_, index) => index),
    );
    const last = refused.at(-1)?.rejected;
    assert.deepEqual(
      [last?.error.code, last?.error.errors, last?.machineId],
      ['invalid_item', [], undefined],
    );
    assert.match(last?.error.message ?? '', /so many of its batch were refused/);
    assert.ok(bytesOf(entries) < 3 * 1_024 * 1_024, `${bytesOf(entries)} bytes answered`);
  });
});
