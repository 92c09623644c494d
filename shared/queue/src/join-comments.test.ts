import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { joinComments } from './join-comments.ts';

const remark = fc.record({
  comment: fc.string({ minLength: 1, maxLength: 4_000, size: 'max' }),
  source: fc.option(fc.string({ maxLength: 128 }), { nil: undefined }),
});

describe('the comment of a call', () => {
  it("is the request's own where there is one only", () => {
    assert.equal(joinComments([{ comment: 'beacon seen', source: 'soar' }], 0), 'beacon seen');
  });

  it('carries those of all requesters, the first one first, told apart', () => {
    const text = joinComments(
      [{ comment: 'beacon seen' }, { comment: 'user called', source: 'helpdesk' }, { comment: 'odd login' }],
      0,
    );
    assert.equal(text, 'beacon seen\n--- also asked by helpdesk: user called\n--- also asked: odd login');
  });

  it('says nothing twice, and tells how many more there are', () => {
    const text = joinComments(
      [{ comment: 'same' }, { comment: 'same', source: 'soar' }, { comment: 'other' }],
      7,
    );
    assert.equal(text, 'same\n--- also asked: other\n--- and 7 more');
  });

  it('cuts the last that fits, and counts those that do not', () => {
    const long = 'x'.repeat(3_900);
    const text = joinComments(
      [{ comment: long }, { comment: 'y'.repeat(200) }, { comment: 'z'.repeat(50) }],
      0,
    );
    assert.equal(text.length, 4_000);
    assert.ok(text.startsWith(`${long}\n--- also asked: yyy`));
    assert.ok(text.endsWith('y…\n--- and 1 more'));
  });

  it('begins with the first requester’s and has at most 4,000 characters, whatever the others write', () => {
    fc.assert(
      fc.property(remark, fc.array(remark, { maxLength: 9 }), fc.nat(5_000), (first, others, more) => {
        const text = joinComments([first, ...others], more);
        assert.ok(text.length <= 4_000, `${text.length}`);
        const kept = first.comment.slice(0, 3_900);
        assert.ok(text.startsWith(kept));
        if (more > 0) assert.match(text, /\n--- and \d+ more$/);
      }),
    );
  });
});
