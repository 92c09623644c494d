/** An own member of a parsed document; undefined when it is missing, or this is no object. */
export function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

/** A text member of a document without the blanks around it; undefined when it is missing or empty. */
export function readText(body: unknown, member: string): string | undefined {
  const value = memberOf(body, member);
  const text = typeof value === 'string' ? value.trim() : '';
  return text === '' ? undefined : text;
}

/** Longest id taken over; Defender's are under 50 characters. */
const maxIdLength = 200;
const noIds = new Set(['null', 'undefined', 'none', 'nan', '00000000-0000-0000-0000-000000000000']);

/**
 * An id member of an answer as a string, or undefined when it is missing or not trustworthy.
 * Numbers beyond 2^53 have already lost digits in JSON.parse, so they would name another record.
 */
export function readOpaqueId(body: unknown, member: string): string | undefined {
  const value = memberOf(body, member);
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const id = value.trim();
  return isId(id) ? id : undefined;
}

/** One printable word. What reads as a number is one that counts: 0 is how some of Microsoft's APIs say "none". */
function isId(text: string): boolean {
  if (!/^[\x21-\x7e]+$/.test(text) || text.length > maxIdLength || noIds.has(text.toLowerCase()))
    return false;
  return Number.isNaN(Number(text)) || /^0*[1-9]\d*$/.test(text);
}
