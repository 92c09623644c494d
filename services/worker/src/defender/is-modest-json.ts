/** Up to here a document is small, whatever it is made of. */
const smallBytes = 64 * 1024;
/** Brackets and commas: each costs up to 60 bytes once parsed. A page of 10,000 rows with all members has 500,000. */
const maxMarks = 3_000_000;
/** Defender's lists are 4 deep, with evidence 6. */
const maxDepth = 64;

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];

/**
 * Whether parsing this JSON takes memory in proportion to its length: a document of nothing but brackets would take fifty
 * times as much. Reads each byte once; says nothing about whether it is JSON at all.
 */
export function isModestJson(bytes: Uint8Array): boolean {
  if (bytes.length <= smallBytes) return true;
  let marks = 0;
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (isInString) {
      if (byte === backslash) i += 1;
      else if (byte === quote) isInString = false;
    } else if (byte === quote) {
      isInString = true;
    } else if (byte === comma) {
      marks += 1;
    } else if ((byte & 0xdf) === 0x5b) {
      // [ and {
      marks += 1;
      depth += 1;
    } else if ((byte & 0xdf) === 0x5d) {
      depth -= 1;
    }
    if (marks > maxMarks || depth > maxDepth) return false;
  }
  return true;
}
