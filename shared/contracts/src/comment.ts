import { countCharacters, filledLinesOf } from './text.ts';

export const maxCommentLength = 4_000;

const endsOfLines = String.raw`\n\v\f\r\u0085\u2028\u2029`;
/** What leaves no mark on paper. The blank of Ogham is a stroke. */
const blank = String.raw`[[\t\p{Zs}\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]--[\u1680]]`;
/**
 * What looks like a dash: punctuation; strokes of scripts and of signs for numbers, lines of drawings, overlines; marks that
 * are set over, through or under a blank.
 */
const dash = String.raw`[\p{Pd}[\p{M}--\p{Default_Ignorable_Code_Point}]\u00af\u02c9\u02cd\u02d7\u0640\u06d4\u07fa\u1173\u1428\u1680\u180a\u2017\u203e\u2043\u2053\u207b\u208b\u2212\u23af\u23ba-\u23bd\u23e4\u2500-\u259f\u25ac\u25ad\u268a-\u268f\u2796\u2801-\u28ff\u2cba\u2cbb\u2e0f\u2f00\u30fc\u3127\u3161\u3192\u31d0\u4e00\ua7f7\ufe49-\ufe4f\uff3f\uff70\uffda\uffe3\u{10100}-\u{1013f}\u{10191}\u{12038}\u{1d300}-\u{1d37f}]`;
/** Other signs, of which two side by side may look so. Not those of ASCII, which are known, and not emoji. */
const sign = String.raw`[[\p{Sk}\p{Sm}\p{So}]--[\x00-\x7f\u2800\p{Extended_Pictographic}\p{Regional_Indicator}]]`;
/** Dashes as long as two and three. */
const longDash = String.raw`[\u2e3a\u2e3b]`;
/** They change the direction of a line, so that its end may be shown at its beginning. */
const directions = String.raw`\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069`;
/** Two dashes at the beginning of a line, as it is written or as it may be shown. What ends a line for some readers does so here. */
const separatorLike = new RegExp(
  String.raw`(?<![^${endsOfLines}])(?=${blank}*(?:${longDash}|${dash}${blank}*${dash}|${sign}${blank}?${sign})|[^${endsOfLines}]*[${directions}])`,
  'gv',
);
const direction = new RegExp(`[${directions}]`, 'gv');

/** A text that is shown within a line, with what would change the direction of that line made visible. */
export function inOneDirection(text: string): string {
  return text.replace(direction, '\uFFFD');
}

/**
 * The comment as Defender gets it. Lines that begin with `---` stand there between the comments of several requests, so a
 * comment's own of that look are quoted: no comment can be taken for several, or for another caller's.
 */
export function sentComment(comment: string): string {
  return comment.replace(separatorLike, '> ');
}

/** As a caller writes it. What is counted is what is sent. */
export const commentText = filledLinesOf(maxCommentLength).refine(
  (text) => text.length * 2 <= maxCommentLength || countCharacters(sentComment(text)) <= maxCommentLength,
  `must have at most ${maxCommentLength} characters (a line that begins with -- or looks so counts two more)`,
);
