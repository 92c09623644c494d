import { countCharacters, filledLinesOf } from './text.ts';

export const maxCommentLength = 4_000;

/** What leaves no mark on paper, or only one on the character before it. */
const blank = String.raw`[\t\p{Zs}\p{M}\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]`;
/** What looks like a dash: punctuation, strokes of box drawing and of scripts, signs. */
const dash = String.raw`[\p{Pd}\u02d7\u2043\u2212\u23af\u2500\u2501\u2504\u2505\u2508\u2509\u254c\u254d\u2796\u30fc\u3161\u4e00\uff70]`;
/** Two dashes at the beginning of a line. What ends a line for some readers does so here. */
const separatorLike = new RegExp(
  String.raw`(?<![^\n\v\f\r\u0085\u2028\u2029])(?=${blank}*(?:${dash}${blank}*){2})`,
  'gu',
);

/**
 * The comment as Defender gets it. Lines that begin with `---` stand there between the comments of several requests, so a
 * comment's own of that look are quoted: no comment can be taken for several, or for somebody else's.
 */
export function sentComment(comment: string): string {
  return comment.replace(separatorLike, '> ');
}

/** As a caller writes it. What is counted is what is sent. */
export const commentText = filledLinesOf(maxCommentLength).refine(
  (text) => text.length * 2 <= maxCommentLength || countCharacters(sentComment(text)) <= maxCommentLength,
  `must have at most ${maxCommentLength} characters (a line that begins with -- counts two more)`,
);
