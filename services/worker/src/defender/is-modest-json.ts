/** Up to here a document is small, whatever it is made of. */
const smallBytes = 64 * 1024;
/**
 * Brackets and commas: each costs up to 60 bytes once parsed, and a microsecond. A page of 10,000 rows with all members
 * has 500,000; 16 MB of members as short as Defender's have a million.
 */
const maxMarks = 1_200_000;
/**
 * Different names of members: for each new one, `JSON.parse` takes up to a hundred times as long as for a value. Defender's
 * lists have below a hundred.
 */
const maxNames = 1_000;
/** Defender's lists are 4 deep, with evidence 6. */
const maxDepth = 64;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];

/**
 * Whether parsing this JSON takes time and memory in proportion to its length: a document of nothing but brackets would
 * take fifty times as much memory, one of nothing but names a hundred times as long. Reads each byte once; says nothing
 * about whether it is JSON at all.
 */
export function isModestJson(bytes: Buffer): boolean {
  if (bytes.length <= smallBytes) return true;
  const names = new Set<string>();
  let marks = 0;
  let depth = 0;
  let stringStart = 0;
  let stringEnd = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte === quote) {
      stringStart = i + 1;
      i = endOfString(bytes, stringStart);
      stringEnd = i;
    } else if (byte === colon) {
      names.add(bytes.toString('latin1', stringStart, stringEnd));
    } else if (byte === comma) {
      marks += 1;
    } else if ((byte & 0xdf) === 0x5b) {
      // [ and {
      marks += 1;
      depth += 1;
    } else if ((byte & 0xdf) === 0x5d) {
      depth -= 1;
    }
    if (marks > maxMarks || depth > maxDepth || names.size > maxNames) return false;
  }
  return true;
}

function endOfString(bytes: Buffer, start: number): number {
  let i = start;
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1;
  return i;
}
