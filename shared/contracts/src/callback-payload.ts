import { z } from 'zod';

export const callbackPayloadVersion = 1;

/**
 * What the queue of callbacks carries: whose news is due, and nothing secret. URL and content are read at the moment of
 * delivery. `v` rises with every change that an older process would misread.
 */
export const callbackPayload = z.strictObject({
  v: z.literal(callbackPayloadVersion),
  kind: z.enum(['request', 'batch']),
  id: z.string(),
});

export type CallbackPayload = z.output<typeof callbackPayload>;
