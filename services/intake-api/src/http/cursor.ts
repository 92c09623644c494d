import { z } from 'zod';

/** Ids of requests and batches: UUIDs, given out in lower case and taken in either (RFC 9562 4). */
const pattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id as it is given out; `undefined` for what looks otherwise: it names nothing, and Redis need not be asked. */
export function readPublicId(text: unknown): string | undefined {
  return typeof text === 'string' && pattern.test(text) ? text.toLowerCase() : undefined;
}

/** An id in a query or a body. */
export const batchId = z
  .string({ error: 'must be the id of a batch, once' })
  .regex(pattern, 'must be the id of a batch')
  .toLowerCase();

/** Reads a position out of a cursor; `undefined` for what is none of its kind. */
type ReadPosition = (text: string) => string | undefined;

/** Where a request stands among all: its id. */
export const requestPosition: ReadPosition = readPublicId;

/** A place in a batch, -1 before its first. */
export const batchPosition: ReadPosition = (text) => (/^(?:-1|\d{1,5})$/.test(text) ? text : undefined);

/** An entry of a stream. Nothing stands before 0-0, and numbers of 20 digits may pass the 64 bits that Redis has for them. */
export const streamPosition: ReadPosition = (text) =>
  /^(?!0+-0+$)\d{1,16}-\d{1,19}$/.test(text) ? text : undefined;

/** A tenant's name, or a tenant and an operation: after it in their order. */
export const namePosition: ReadPosition = (text) =>
  /^[a-z0-9-]{1,40}(?:\/[A-Za-z]{1,40})?$/.test(text) ? text : undefined;

/** A position in a form that callers hand back and do not reckon with. */
export function writePosition(position: string): string {
  return Buffer.from(`behind ${position}`).toString('base64url');
}

/** The answer of a list: some of its values. */
export function pageOf(value: z.ZodType) {
  return z.strictObject({
    value: z.array(value),
    nextLink: z.string().optional().describe('Path and query of the next page; absent on the last.'),
  });
}

export const notFromLink = 'must be taken from a nextLink';

/** The position in a cursor of this kind; anything that `writePosition` did not write is a fault. */
export function positionCursor(read: ReadPosition) {
  return z.string({ error: 'must be given once' }).transform((text, context) => {
    const written = /^behind (.+)$/s.exec(Buffer.from(text, 'base64url').toString())?.[1] ?? '';
    const position = read(written);
    if (position !== undefined && writePosition(written) === text) return position;
    context.addIssue({ code: 'custom', message: notFromLink });
    return z.NEVER;
  });
}

/**
 * Path and query of the page behind a position. What is `undefined` is left out; a name stands once for each of several values.
 *
 * @param asked what this page was asked with; numbers of milliseconds under `from` and `to`
 */
export function linkBehind(
  position: string,
  path: string,
  asked: Readonly<Record<string, string | number | readonly string[] | undefined>>,
  more: readonly [name: string, value: string][] = [],
): string {
  const parameters = new URLSearchParams();
  for (const [name, given] of [...Object.entries(asked), ...more]) {
    const values = given === undefined || typeof given === 'object' ? (given ?? []) : [given];
    for (const value of values) parameters.append(name, textOf(name, value));
  }
  parameters.set('cursor', writePosition(position));
  return `${path}?${parameters.toString()}`;
}

function textOf(name: string, value: string | number): string {
  return name === 'from' || name === 'to' ? new Date(value).toISOString() : String(value);
}
