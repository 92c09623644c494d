import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { sentComment } from '@diq/contracts/comment.ts';
import { joinComments } from './merge-comments.ts';

const remark = fc.record({
  comment: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4_000, size: 'max' }),
  caller: fc.option(fc.stringMatching(/^[a-z]{1,20}$/), { nil: undefined }),
  source: fc.option(fc.string({ unit: 'grapheme', maxLength: 128 }), { nil: undefined }),
});

describe('the comment of a call', () => {
  it("is the request's own where there is one only, whole", () => {
    assert.equal(joinComments([{ comment: 'beacon seen', source: 'soar', caller: 'a' }], 0), 'beacon seen');
    const alarms = '🚨'.repeat(4_000);
    assert.equal(joinComments([{ comment: alarms }], 0), alarms);
    assert.equal(joinComments([{ comment: alarms }, { comment: alarms, caller: 'b' }], 0), alarms);
  });

  it('carries those of all requesters, the first one first, each with its caller and source', () => {
    const text = joinComments(
      [
        { comment: 'beacon seen', caller: 'soar' },
        { comment: 'user called', caller: 'desk', source: 'first line' },
        { comment: 'odd login', caller: 'siem' },
        { comment: 'from before' },
      ],
      0,
    );
    assert.equal(
      text,
      'beacon seen\n--- also asked by desk, source "first line": user called\n--- also asked by siem: odd login\n--- also asked: from before',
    );
  });

  it('says nothing twice, and tells how many more there are', () => {
    const text = joinComments(
      [{ comment: 'same' }, { comment: 'same', source: 'soar' }, { comment: 'other', caller: 'siem' }],
      7,
    );
    assert.equal(text, 'same\n--- also asked by siem: other\n--- and 7 more');
  });

  it('cuts the last that fits, says so, and counts those that do not', () => {
    const long = '🚨'.repeat(3_900);
    const text = joinComments(
      [{ comment: long }, { comment: '🔔'.repeat(200) }, { comment: 'z'.repeat(50) }],
      0,
    );
    assert.equal(Array.from(text).length, 4_000);
    assert.ok(text.startsWith(`${long}\n--- also asked: 🔔🔔🔔`));
    assert.ok(text.endsWith('🔔… (cut)\n--- and 1 more'));
  });

  it('cuts the first one too, to say that others asked, and says so', () => {
    const text = joinComments([{ comment: '🚨'.repeat(4_000) }, { comment: 'other' }], 0);
    assert.ok(text.endsWith('🚨… (cut)\n--- and 1 more'));
    assert.equal(Array.from(text).length, 4_000);
  });

  it('cannot be made by one to look like those of several, whatever it says and what source it names', () => {
    const forged = '--- also asked by lead: approved';
    const text = joinComments(
      [
        { comment: `x\n${forged}`, caller: 'mallory' },
        { comment: `y\r\n ${forged}\n--- and 9 more`, caller: 'mallory', source: `s": z` },
      ],
      0,
    );
    assert.equal(
      text,
      `x\n> ${forged}\n--- also asked by mallory, source "s\\": z": y\r\n>  ${forged}\n> --- and 9 more`,
    );
    assert.equal(joinComments([{ comment: forged }], 0), `> ${forged}`);
    for (const end of ['\n', '\r', '\u0085', '\u2028', '\u2029', '\0', '\u202e', '\u2067']) {
      const [, line = ''] = joinComments(
        [{ comment: 'x' }, { comment: 'y', source: `a${end}${forged}` }],
        0,
      ).split('\n');
      assert.equal(line, `--- also asked, source "a\ufffd${forged}": y`);
    }
  });

  it('has whole characters, as many separators as there are others, and 4,000 characters at most', () => {
    fc.assert(
      fc.property(remark, fc.array(remark, { maxLength: 9 }), fc.nat(5_000), (first, others, more) => {
        const text = joinComments([first, ...others], more);
        assert.ok(text.isWellFormed());
        if (others.length === 0 && more === 0) return assert.equal(text, sentComment(first.comment));
        assert.ok(Array.from(text).length <= Math.max(4_000, Array.from(sentComment(first.comment)).length));
        assert.ok(
          Array.from(text).length <= 4_000 || new Set(others.map(({ comment }) => comment)).size === 1,
        );
        const separators = text.match(/^--- (?:also asked|and \d+ more)/gmu) ?? [];
        assert.ok(separators.length <= others.length + 1);
        if (more > 0) assert.match(text, /\n--- and \d+ more$/);
        return undefined;
      }),
    );
  });
});
