import { z } from 'zod';
import type { ZodOpenApiOverrideMetaContext } from 'zod-openapi';
import { fieldFaults } from '@diq/contracts/field-fault.ts';
import { filledLineOf } from '@diq/contracts/text.ts';
import { describeFaults } from './describe-faults.ts';
import { ProblemError } from './problem-error.ts';

/** @throws ProblemError 400 that names every field at fault. */
export function parseOrRefuse<T extends z.ZodType>(
  schema: T,
  input: unknown,
  whole: 'the body' | 'the query',
): z.output<T> {
  const parsed = schema.safeParse(input, { reportInput: true });
  if (parsed.success) return parsed.data;
  const errors = fieldFaults(parsed.error);
  throw new ProblemError('invalid_request', { detail: describeFaults(errors, whole), errors });
}

/** Why something is done, for the record. */
export const reason = filledLineOf(500).describe(
  'For the audit record. One line, without control characters.',
);

/** A query or body that says why, and nothing else. */
export const onlyReason = z.strictObject({ reason: reason.optional() });

/** How many values a page has at most. */
export function pageLimit(most: number) {
  const expected = `must be a whole number from 1 to ${most}`;
  return z
    .string({ error: expected })
    .regex(/^\d{1,4}$/, expected)
    .transform(Number)
    .pipe(z.number().min(1, expected).max(most, expected))
    .default(Math.min(100, most))
    .meta({
      override: ({ jsonSchema }: ZodOpenApiOverrideMetaContext) => {
        delete jsonSchema.pattern;
        Object.assign(jsonSchema, {
          type: 'integer',
          minimum: 1,
          maximum: most,
          default: Math.min(100, most),
        });
      },
    })
    .describe('How many values a page has at most.');
}
