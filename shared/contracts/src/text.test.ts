import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { z } from 'zod';
import { clip, countCharacters, filledLineOf, filledLinesOf, lineOf, wholeCharacters } from './text.ts';

const faultsOf = (schema: z.ZodType, text: string) =>
  schema.safeParse(text).error?.issues.map(({ message }) => message) ?? [];
const anyText = fc.string({ unit: 'binary', maxLength: 60 });
/** With halves of characters. */
const anyUnits = fc
  .array(fc.integer({ min: 0xd7f0, max: 0xe010 }), { maxLength: 20 })
  .map((units) => units.map((unit) => String.fromCharCode(unit)).join(''));

describe('a text that is cut', () => {
  it('has at most so many characters, whole ones, and its beginning', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, anyUnits), fc.integer({ min: 1, max: 70 }), (text, most) => {
        const clipped = clip(text, most);
        const characters = Array.from(text.toWellFormed());
        assert.ok(clipped.isWellFormed());
        assert.ok(Array.from(clipped).length <= most);
        const isWhole = characters.length <= most;
        const expected = isWhole ? characters : [...characters.slice(0, most - 1), '…'];
        assert.equal(clipped, expected.join(''));
      }),
    );
  });

  it('is counted in characters', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        assert.equal(countCharacters(text), Array.from(text).length);
      }),
    );
    assert.equal(clip('🚨'.repeat(500), 500), '🚨'.repeat(500));
    assert.equal(clip('🚨'.repeat(501), 500), `${'🚨'.repeat(499)}…`);
    assert.equal(clip('🚨🚨🚨', 2, '~'), '🚨~');
  });

  it('has the mark for what cannot be shown in the place of half a character', () => {
    assert.equal(wholeCharacters('a\ud83d b\udea8'), 'a\ufffd b\ufffd');
    assert.equal(wholeCharacters('🚨'), '🚨');
  });
});

describe('a text of a caller', () => {
  const nothing = [
    '',
    ' ',
    '\t',
    '\u00a0\u3000',
    '\u200b',
    '\u200d\ufeff\u2060',
    '\u00ad',
    '\u3164\u115f',
    '\u2800',
  ];
  const controls = ['\0', '\u0001', '\b', '\u000b', '\f', '\u001b', '\u007f', '\u0080', '\u0085', '\u009f'];

  for (const [name, schema] of [
    ['of one line', filledLineOf(20)],
    ['of several lines', filledLinesOf(20)],
  ] as const) {
    it(`${name} is refused where nothing in it can be seen`, () => {
      for (const text of [...nothing, '\0\0', '\u202e\u2066', '\ufe0f', '\u0301'])
        assert.ok(faultsOf(schema, text).includes('must not be empty'), JSON.stringify(text));
      for (const text of ['x', '.', '字', '🚨', '👩‍💻', 'é', '\u200bx', '+'])
        assert.deepEqual(faultsOf(schema, text), [], text);
    });

    it(`${name} is refused with control characters`, () => {
      for (const control of controls) {
        const [fault = ''] = faultsOf(schema, `a${control}b`);
        assert.match(fault, /^must have no control characters/, JSON.stringify(control));
      }
    });

    it(`${name} is counted in characters`, () => {
      assert.deepEqual(faultsOf(schema, '🚨'.repeat(20)), []);
      assert.deepEqual(faultsOf(schema, '🚨'.repeat(21)), ['must have at most 20 characters']);
    });
  }

  it('has ends of lines only where it may have several', () => {
    for (const end of ['\n', '\r', '\r\n', '\t']) {
      assert.equal(faultsOf(lineOf(9), `a${end}b`).length, 1);
      assert.equal(faultsOf(filledLinesOf(9), `a${end}b`).length, 0);
    }
    for (const end of ['\u2028', '\u2029']) assert.equal(faultsOf(lineOf(9), `a${end}b`).length, 1);
  });

  it('may be empty where it need not be filled', () => {
    assert.deepEqual(faultsOf(lineOf(9), ''), []);
  });
});
