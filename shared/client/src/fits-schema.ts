import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/**
 * Whether an answer is what is expected. A newer service may add fields and values of enumerations: neither is a fault,
 * so that an older client goes on working.
 */
export function fitsSchema(schema: z.ZodType, answer: unknown): boolean {
  const parsed = schema.safeParse(answer, { reportInput: true });
  return parsed.success || parsed.error.issues.every(isNews);
}

function isNews(issue: Issue): boolean {
  if (issue.code === 'unrecognized_keys') return true;
  if (issue.code === 'invalid_value') return typeof issue.input === 'string';
  return issue.code === 'invalid_union' && issue.errors.some((branch) => branch.every(isNews));
}
