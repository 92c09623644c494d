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
