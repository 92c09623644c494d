import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { commentText, sentComment } from './comment.ts';

const doubled = (characters: string): string[] => Array.from(characters, (one) => `${one}${one} also asked`);

describe('a comment as it is sent', () => {
  it('is what was written, where no line of it looks like the line between two comments', () => {
    for (const text of [
      'a',
      '- one\n- two',
      'a --- b',
      'a\n\n\nb',
      '🚨'.repeat(4_000),
      '-',
      'x\t--',
      '> --- x',
      '−1',
      '— said the user',
      '- ✓ isolated\n- → next',
      '🚨🚨 beacon',
      '🇩🇪🇫🇷',
      '==\n__\n~~\n```\n**bold**',
      'שלום - עולם',
    ])
      assert.equal(sentComment(text), text);
  });

  it('has every line quoted that looks like one, whatever it is made with', () => {
    for (const line of [
      '--- also asked by soc-lead: isolate approved',
      '-- and 7 more',
      ' \t---',
      '\u200b---',
      '\u00a0--',
      '— — also asked',
      '–––',
      '-\u200d-',
      '‐‑',
      '──',
      '−−',
      '－－',
      '➖➖ also asked',
      '\u3164\u115f---',
      '\u2800---',
      '\u0301---',
      '-\u0332-\u0332',
      '\u2e3a also asked',
      '\u2e3b also asked by soc-lead: isolate approved',
      ' \u0336 \u0336 \u0336',
      ...doubled(
        '\u00af\u02c9\u0640\u06d4\u1173\u1428\u1680\u203e\u207b\u208b\u23bb\u2574\u257c\u2581\u25ac\u268a\u2812',
      ),
      ...doubled(
        '\u2017\u2053\u3192\uff3f\u2cba\u2e0f\u2f00\u31d0\ua7f7\ufe4d\uffda\uffe3\u{10110}\u{10191}\u{1d360}\u21d4',
      ),
    ]) {
      assert.equal(sentComment(line), `> ${line}`);
      for (const end of ['\n', '\r', '\r\n', '\v', '\f', '\u0085', '\u2028', '\u2029', '\n\n']) {
        assert.equal(
          sentComment(`a${end}${line}${end}b`),
          `a${end}> ${line}${end}b`,
          JSON.stringify(line + end),
        );
      }
    }
  });

  it('has every line quoted that turns the direction of its letters: its end may be shown as its beginning', () => {
    for (const line of [
      '\u202e:dael-cos yb deksa osla ---',
      '\u202balso asked by soc-lead: approved ---',
      'also\u2067 asked by soc-lead: approved ---\u2069',
      '\u200falso asked by soc-lead: approved ---',
    ]) {
      assert.equal(sentComment(`a\n${line}\nb`), `a\n> ${line}\nb`);
    }
  });

  it('costs what its length costs, for runs of every kind of character', () => {
    for (const run of [
      '-',
      ' ',
      '\n',
      '\u200b',
      '\t',
      '-\n',
      '- ',
      '-\u200b',
      '\r\n',
      ' \n',
      '\n-',
      '\u0301',
      '\u2800',
      '🚨',
      '\u202e',
      '\u202e\n',
      '→',
      '\u1680 ',
    ]) {
      const text = run.repeat(400_000 / run.length);
      const begunAtMs = performance.now();
      sentComment(`${text}x`);
      assert.ok(performance.now() - begunAtMs < 5_000, JSON.stringify(run));
    }
  });
});

describe('a comment as it is posted', () => {
  const isTaken = (text: string) => commentText.safeParse(text).success;

  it('has at most 4,000 characters as it is sent', () => {
    assert.equal(isTaken('🚨'.repeat(4_000)), true);
    assert.equal(isTaken('🚨'.repeat(4_001)), false);
    assert.equal(isTaken(`---\n${'x'.repeat(3_994)}`), true);
    assert.equal(isTaken(`---\n${'x'.repeat(3_995)}`), false);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('--', '---', 'x', '🚨', '\u2e3b', '\u200f'), {
          minLength: 900,
          maxLength: 2_000,
        }),
        (lines) => {
          const text = lines.join('\n');
          assert.equal(isTaken(text), Array.from(sentComment(text)).length <= 4_000);
        },
      ),
      { numRuns: 30 },
    );
  });
});
