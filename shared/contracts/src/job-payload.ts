import { z } from 'zod';

export const jobPayloadVersion = 1;

/**
 * What the queue carries from intake to worker: nothing beside the job's id, which is the task's. Machine, comment,
 * requesters and state are read from the task itself at the moment of the call, so that late joiners are served and cancelled work is not.
 * `v` rises with every change that an older worker would misread.
 */
export const jobPayload = z.strictObject({
  v: z.literal(jobPayloadVersion),
});

export type JobPayload = z.output<typeof jobPayload>;
