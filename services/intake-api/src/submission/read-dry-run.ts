import type { Request } from 'express';
import { z } from 'zod';
import { parseOrRefuse } from '../http/parse-or-400.ts';

/** Parameters of a POST; others than this are nobody's business. */
export const dryRunQuery = z.object({
  dryRun: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .describe('Answers what would become of it, and records nothing.'),
});

/**
 * Whether a POST asks only what would become of it.
 *
 * @throws ProblemError 400 for anything but `true` and `false`: nothing is recorded on a misspelt wish to record nothing.
 */
export function readDryRun(query: Request['query']): boolean {
  return parseOrRefuse(dryRunQuery, query, 'the query').dryRun === 'true';
}
