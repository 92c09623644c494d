import { z } from 'zod';

/**
 * The query of a POST; other parameters than this are ignored. Anything but `true` and `false` is a fault: nothing is
 * recorded on a misspelt wish to record nothing.
 */
export const dryRunQuery = z.object({
  dryRun: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .describe('Answers what would become of it, and records nothing.'),
});
