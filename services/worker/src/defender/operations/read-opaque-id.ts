/** Longest id taken over; Defender's are under 50 characters. */
const maxIdLength = 200;

/**
 * An id member of an answer as a string, or undefined when it is missing or not trustworthy.
 * Numbers beyond 2^53 have already lost digits in JSON.parse, so they would name another investigation.
 */
export function readOpaqueId(body: unknown, member: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(body, member)?.value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const id = value.trim();
  return id !== '' && id.length <= maxIdLength ? id : undefined;
}
