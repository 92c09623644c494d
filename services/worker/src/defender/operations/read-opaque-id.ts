/** Longest id taken over; Defender's are under 50 characters. */
const maxIdLength = 200;
const noIds = new Set(['null', 'undefined', 'none', 'nan', '00000000-0000-0000-0000-000000000000']);

/**
 * An id member of an answer as a string, or undefined when it is missing or not trustworthy.
 * Numbers beyond 2^53 have already lost digits in JSON.parse, so they would name another investigation.
 */
export function readOpaqueId(body: unknown, member: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(body, member)?.value;
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
