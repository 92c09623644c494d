import type { OperationName, Quota } from '@diq/contracts/operations.ts';

/**
 * Everything that differs between the Defender operations this service can make.
 * One operation is one file with one profile; the client and the classifier know no operation by name.
 */
export interface OperationProfile {
  /** The value of DEFENDER_OPERATION that selects this profile. */
  readonly name: OperationName;

  /** What Defender's documentation allows per tenant and application; the default where no setting overrides it. */
  readonly quota: Readonly<Quota>;

  /** Path below the base URL, beginning with a slash, the machine id encoded. Throws RangeError for an id that is no path segment. */
  readonly path: (machineId: string) => string;

  /** The JSON body of the call. Defender compares keys with exact case. */
  readonly body: (comment: string) => Readonly<Record<string, unknown>>;

  /** The investigation's id out of a parsed 2xx body, as an opaque string; undefined when it cannot be read. */
  readonly readInvestigationId: (body: unknown) => string | undefined;
}

/**
 * `/api/machines/{id}/{action}` with the id encoded as one path segment.
 * Throws RangeError for an empty id and for dot segments, which no encoding keeps from being resolved on the way.
 */
export function machineActionPath(machineId: string, action: string): string {
  if (machineId === '' || machineId === '.' || machineId === '..') {
    throw new RangeError('the machine id is not a path segment');
  }
  return `/api/machines/${encodeURIComponent(machineId)}/${action}`;
}

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
