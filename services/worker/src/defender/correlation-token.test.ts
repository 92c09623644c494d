import assert from 'node:assert/strict';
import { maxCommentLength } from '@diq/contracts/comment.ts';
import { countCharacters } from '@diq/contracts/text.ts';
import { commentWithToken, correlationTokenOf } from './correlation-token.ts';

describe('the token in a comment', () => {
  const token = correlationTokenOf('0193a1f0-0000-7000-8000-000000000001');

  it('stands at its end, behind all that was written', () => {
    assert.equal(commentWithToken('INC-1: beacon', token), `INC-1: beacon ${token}`);
  });

  it('makes no comment longer than a comment may be, and is whole also where that is full', () => {
    for (const comment of ['x'.repeat(maxCommentLength), '\u{1f600}'.repeat(maxCommentLength)]) {
      const sent = commentWithToken(comment, token);
      assert.equal(countCharacters(sent), maxCommentLength);
      assert.ok(sent.endsWith(`… (cut) ${token}`));
    }
  });
});
