import { z } from 'zod';
import type { ZodOpenApiOverrideMetaContext } from 'zod-openapi';
import { fieldFaults, type FieldFault } from '@diq/contracts/field-fault.ts';
import { filledLineOf } from '@diq/contracts/text.ts';
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

/** Faults in one sentence; the complete list stands beside it. */
const maxNamed = 3;

/**
 * One readable sentence that names the fields and what is wrong with them. `whole` stands for the input itself, `count`
 * is the number of all faults where these are only the first.
 */
export function describeFaults(
  faults: readonly FieldFault[],
  whole: string,
  count: number = faults.length,
): string {
  const named = faults.slice(0, maxNamed).map(({ path, message }) => {
    const subject = path === '' ? whole : path;
    // Our own messages continue the sentence; those of the validator begin one.
    return /^[a-z]/.test(message) ? `${subject} ${message}` : `${subject}: ${message}`;
  });
  const left = count - named.length;
  return `${named.join('; ')}${left > 0 ? `; and ${left} more` : ''}.`;
}
