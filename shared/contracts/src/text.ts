import { z } from 'zod';

/**
 * Texts that callers and Defender write. They are counted and cut in characters, which are code points: so JSON Schema
 * counts, so zod does, and no half of a character is ever left. Not all readers of JSON take one.
 */

/** A half of a character, left where another program cut a text between the two, becomes the mark for what cannot be shown. */
export function wholeCharacters(text: string): string {
  return text.toWellFormed();
}

/** At most so many characters of a text; the last is `mark` where some were cut off. */
export function clip(text: string, most: number, mark = '…'): string {
  const whole = wholeCharacters(text);
  // A character has one unit or two.
  if (whole.length <= most || countCharacters(whole) <= most) return whole;
  let kept = '';
  let room = most - countCharacters(mark);
  for (const character of whole) {
    if (room <= 0) break;
    kept += character;
    room -= 1;
  }
  return `${kept}${mark}`;
}

export function countCharacters(text: string): number {
  let count = text.length;
  for (const _ of text.matchAll(/[\u{10000}-\u{10FFFF}]/gu)) count -= 1;
  return count;
}

/** A letter, digit, sign or symbol; not one that Unicode has for being left out of sight, nor the Braille blank. */
const visible = new RegExp(
  String.raw`[[\p{L}\p{N}\p{P}\p{S}]--[\p{Default_Ignorable_Code_Point}\u2800]]`,
  'v',
);
/** They end a line, or move what reads a log or a terminal. */
const controlCharacter = /[\p{Cc}\u2028\u2029]/u;
const controlCharacterInLines = /[^\P{Cc}\t\n\r]/u;

/** One line of a caller's text. May be empty. */
export function lineOf(most: number) {
  return z
    .string({ error: 'must be a string' })
    .max(most, { error: `must have at most ${most} characters`, abort: true })
    .refine((text) => !controlCharacter.test(text), 'must have no control characters or line ends')
    .overwrite(wholeCharacters);
}

/** One line of a caller's text with something in it that can be seen. */
export function filledLineOf(most: number) {
  return lineOf(most).refine((text) => visible.test(text), 'must not be empty');
}

/** The name that a caller gives to a field. */
export function nameOf(most: number) {
  return z
    .string()
    .max(most, { error: `must have a name of at most ${most} characters`, abort: true })
    .refine((text) => visible.test(text), 'must have a name')
    .refine(
      (text) => !controlCharacter.test(text),
      'must have a name without control characters or line ends',
    )
    .overwrite(wholeCharacters);
}

/** Lines of a caller's text with something in them that can be seen. */
export function filledLinesOf(most: number) {
  return z
    .string({ error: 'must be a string' })
    .max(most, { error: `must have at most ${most} characters`, abort: true })
    .refine((text) => visible.test(text), 'must not be empty')
    .refine(
      (text) => !controlCharacterInLines.test(text),
      'must have no control characters but tabs and line ends',
    )
    .overwrite(wholeCharacters);
}
