import { isAscii, isUtf8 } from 'node:buffer';
import { writePath, type FieldFault } from '@diq/contracts/field-fault.ts';

/** What a JSON text holds; or why it may not be taken for anything. */
type JsonReading =
  | { kind: 'read'; value: unknown }
  | { kind: 'not-utf-8' | 'malformed' | 'too-deep' | 'too-many-values' | 'too-many-names' }
  | { kind: 'doubled'; faults: FieldFault[] };

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
/** A string longer than this is worth a search for its end; shorter ones are read byte by byte. */
const shortString = 64;
/** Far deeper than anything that is taken. */
const maxDepth = 16;
/**
 * Names of one object: a few more than anything that is taken has. Of those beyond, so many in all objects together, for
 * the sake of single items, which are refused by themselves: each different name of a large object makes `JSON.parse`
 * a hundred times slower than a value does.
 */
const [usualNames, maxUnusualNames] = [32, 2_000];
/**
 * Different names of all objects together: four for each item of the largest batch, beside those that all items have. Names
 * that no other object has cost as much: 190,000 of them took a second and more, and 40,000 take a fifth of that.
 */
export const maxDifferentNames = 40_000;
/** Of these and no more the paths are written: either may be as many as a body has room for. */
const [maxFaults, maxSteps] = [20, 8];

/**
 * Reads JSON as RFC 8259 has it between strangers: in UTF-8, which no replacement character is put into, and with no name
 * twice in one object, of which `JSON.parse` keeps the last without a word. A byte order mark is passed over. `onValues`
 * hears of how many values it is made before they are; what it throws is thrown.
 */
export function readJson(
  bytes: Buffer,
  maxValues: number,
  onValues: (values: number) => void = () => undefined,
): JsonReading {
  if (!isUtf8(bytes)) return { kind: 'not-utf-8' };
  const text = bytes.subarray(0, 3).equals(byteOrderMark) ? bytes.subarray(3) : bytes;
  const { names, unusualNames, differentNames, values, depth } = measure(text);
  if (depth > maxDepth) return { kind: 'too-deep' };
  if (values > maxValues) return { kind: 'too-many-values' };
  if (unusualNames > maxUnusualNames || differentNames > maxDifferentNames) return { kind: 'too-many-names' };
  onValues(values);
  let value: unknown;
  try {
    value = JSON.parse(decode(text));
  } catch {
    return { kind: 'malformed' };
  }
  // Only where names were lost is it worth knowing which.
  if (names === countKept(value)) return { kind: 'read', value };
  return { kind: 'doubled', faults: findDoubled(text) };
}

/** The same text either way; what is ASCII, as most bodies are, is copied rather than decoded. */
function decode(text: Buffer): string {
  return text.toString(isAscii(text) ? 'latin1' : 'utf8');
}

interface Measures {
  /** Colons outside strings. */
  names: number;
  /** Of them, those that stand in an object behind so many as are usual. */
  unusualNames: number;
  /** As they are spelt; no more of them are counted than may be. */
  differentNames: number;
  /** What follows a comma or an opening bracket. */
  values: number;
  /** How deep brackets stand in one another; those that are too deep are not looked into. */
  depth: number;
}

/** Of a text that may be JSON. Before it is parsed: 64 MB of `[],` would take gigabytes. */
function measure(text: Buffer): Measures {
  const namesAt = new Uint32Array(maxDepth + 1);
  const different = new Set<string>();
  let [start, end] = [0, 0];
  /** Where the name stands that the object before has in the same place: nearly always the same, which saves a look-up. */
  const before = new Uint32Array((maxDepth + 1) * usualNames);
  let [names, unusualNames, values, open, depth] = [0, 0, 1, 0, 0];
  for (let i = 0; i < text.length && depth <= maxDepth; i += 1) {
    switch (text[i]) {
      case quote:
        start = i;
        i = endOfString(text, i);
        end = i;
        break;
      case colon: {
        const ofObject = (namesAt[open] ?? 0) + 1;
        namesAt[open] = ofObject;
        names += 1;
        const place = open * usualNames + Math.min(ofObject, usualNames) - 1;
        if (different.size <= maxDifferentNames && !isSame(text, before[place] ?? 0, start, end))
          different.add(text.toString('latin1', start, end));
        before[place] = start;
        if (ofObject > usualNames) unusualNames += 1;
        break;
      }
      case comma:
        values += 1;
        break;
      case openBrace:
      case openBracket:
        values += 1;
        open += 1;
        namesAt[open] = 0;
        depth = Math.max(depth, open);
        break;
      case closeBrace:
      case closeBracket:
        open -= 1;
        break;
      default:
    }
  }
  return { names, unusualNames, differentNames: different.size, values, depth };
}

/** Whether the name that begins at `other` is that from `start` to the quote at `end`; none begins at 0. */
function isSame(text: Buffer, other: number, start: number, end: number): boolean {
  if (other === 0) return false;
  for (let i = start, j = other; i <= end; i += 1, j += 1) if (text[i] !== text[j]) return false;
  return true;
}

/** Where the string ends that begins at `start`; behind the text where it does not. */
function endOfString(text: Buffer, start: number): number {
  const far = start + shortString;
  let i = start + 1;
  for (; i < far; i += 1) {
    const byte = text[i];
    if (byte === quote) return i;
    if (byte === backslash) i += 1;
  }
  const next = text.indexOf(quote, i);
  if (next === -1) return text.length;
  if (!isEscaped(text, next, i)) return next;
  while (i < text.length && text[i] !== quote) i += text[i] === backslash ? 2 : 1;
  return i;
}

/** Whether an odd number of backslashes stands before; none of those before `from` belongs to them. */
function isEscaped(text: Buffer, at: number, from: number): boolean {
  let first = at;
  while (first > from && text[first - 1] === backslash) first -= 1;
  return (at - first) % 2 === 1;
}

/** The names that are left in what was read. Not by recursion: nesting is bounded by the size of a body alone. */
function countKept(value: unknown): number {
  let count = 0;
  const open = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next)) {
      for (const element of next) if (isNested(element)) open.push(element);
    } else if (isNested(next)) {
      for (const name in next) {
        count += 1;
        const field = next[name];
        if (isNested(field)) open.push(field);
      }
    }
  }
  return count;
}

function isNested(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** An object or array that is being read. */
interface Level {
  /** Of an object. */
  names?: Set<string>;
  /** The name or the index of what is being read in it. */
  at: string | number;
}

/** The first names that stand in an object again, each listed once; of a JSON text that is well-formed. */
function findDoubled(text: Buffer): FieldFault[] {
  const doubled: string[] = [];
  const levels: Level[] = [];
  let string = '';
  for (let i = 0; i < text.length && doubled.length < maxFaults; i += 1) {
    const level = levels.at(-1);
    switch (text[i]) {
      case quote: {
        const end = endOfString(text, i);
        // Only what may be a name.
        if (level?.names) string = text.toString('utf8', i, end + 1);
        i = end;
        break;
      }
      case colon:
        if (level?.names && noteName(level, level.names, JSON.parse(string) as string)) {
          doubled.push(writePath(levels.slice(0, maxSteps).map(({ at }) => at)));
        }
        break;
      case comma:
        if (typeof level?.at === 'number') level.at += 1;
        break;
      case openBrace:
        levels.push({ names: new Set(), at: '' });
        break;
      case openBracket:
        levels.push({ at: 0 });
        break;
      case closeBrace:
      case closeBracket:
        levels.pop();
        break;
      default:
    }
  }
  return [...new Set(doubled)].map((path) => ({ path, message: 'is given more than once' }));
}

/** Whether the name was there before. */
function noteName(level: Level, names: Set<string>, name: string): boolean {
  const isDoubled = names.has(name);
  names.add(name);
  level.at = name;
  return isDoubled;
}
