import { z } from 'zod';

export const dispatchPayloadVersion = 1;

/**
 * What the queue carries from intake to worker: nothing beside the job's id, which is the dispatch's. Machine, comment,
 * requesters and state are read from the dispatch itself at the moment of the call, so that late joiners are served and cancelled work is not.
 * `v` rises with every change that an older worker would misread.
 */
export const dispatchPayload = z.strictObject({
  v: z.literal(dispatchPayloadVersion),
});

export type DispatchPayload = z.output<typeof dispatchPayload>;
