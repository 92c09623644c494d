import { z } from 'zod';

/** Whose callback it is. */
export type CallbackTarget = Pick<CallbackPayload, 'kind' | 'id'>;

const batchPrefix = 'batch:';

/** Reads an entry of the list of what is due: a request id, or `batch:<id>`. */
export function targetOfEntry(entry: string): CallbackTarget {
  return entry.startsWith(batchPrefix)
    ? { kind: 'batch', id: entry.slice(batchPrefix.length) }
    : { kind: 'request', id: entry };
}

/** One name for each target, fit for a BullMQ job id, in which no ':' may stand. */
export function nameOfTarget({ kind, id }: CallbackTarget): string {
  return `${kind}-${id}`;
}

export function payloadOf(target: CallbackTarget): CallbackPayload {
  return { v: callbackPayloadVersion, ...target };
}

/** @throws ZodError for a payload of another version. */
export function targetOfPayload(data: unknown): CallbackTarget {
  const { kind, id } = callbackPayload.parse(data);
  return { kind, id };
}

const callbackPayloadVersion = 1;

/**
 * What the queue of callbacks carries: whose news is due, and nothing secret. URL and content are read at the moment of
 * delivery. `v` rises with every change that an older process would misread.
 */
const callbackPayload = z.strictObject({
  v: z.literal(callbackPayloadVersion),
  kind: z.enum(['request', 'batch']),
  id: z.string(),
});

type CallbackPayload = z.output<typeof callbackPayload>;
