import { z } from 'zod';
import type { ZodOpenApiOverrideMetaContext } from 'zod-openapi';
import { correlation, machineId, sourceText } from '@diq/contracts/investigation-item.ts';
import { priorities } from '@diq/contracts/priority.ts';
import { batchId, batchPosition, requestPosition } from './cursor.ts';

/** What requests are looked for by, in queries and bodies. */
export const requestFilters = {
  machineId: machineId.optional(),
  batchId: batchId.optional(),
  source: z.string({ error: 'must be a string, given once' }).pipe(sourceText).optional(),
  priority: z.enum(priorities, { error: `must be one of ${priorities.join(', ')}` }).optional(),
  correlation: correlation
    .refine((pairs) => Object.keys(pairs).length > 0, 'must have at least 1 entry')
    .describe('All of these pairs.')
    .optional(),
};

/** One of these values, or several of them. */
export function oneOrMore<const Values extends readonly [string, ...string[]]>(values: Values) {
  const error = `must be one of ${values.join(', ')}, or several of them`;
  const one = z.enum(values, { error });
  return z
    .union([one.transform((value) => [value]), z.array(one).min(1, error)], { error })
    .transform((found) => [...new Set(found)])
    .meta({
      override: ({ jsonSchema }: ZodOpenApiOverrideMetaContext) => {
        for (const name of Object.keys(jsonSchema)) delete jsonSchema[name as keyof typeof jsonSchema];
        Object.assign(jsonSchema, {
          type: 'array',
          items: { type: 'string', enum: [...values] },
          minItems: 1,
        });
      },
    });
}

const time = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with a zone, such as 2026-11-30T08:00:00Z' })
  .transform((text) => Date.parse(text));

/** Whether a cursor is of the kind that these filters lead to: within a batch requests are found by their place, else by their id. */
export function fitsCursor({
  batchId: batch,
  machineId: machine,
  cursor,
}: {
  batchId?: string | undefined;
  machineId?: string | undefined;
  cursor?: string | undefined;
}): boolean {
  const read = batch !== undefined && machine === undefined ? batchPosition : requestPosition;
  return cursor === undefined || read(cursor) !== undefined;
}

/** Whether a span of time can hold anything. */
export function isSpan({ from, to }: { from?: number | undefined; to?: number | undefined }): boolean {
  return from === undefined || to === undefined || from < to;
}

export const emptySpan = { path: ['to'], message: 'must be later than from' };

/** A span of time, of when something was asked for. */
export const timeFilters = {
  from: time.describe('Not asked for before this time.').optional(),
  to: time.describe('Asked for before this time.').optional(),
};

const prefix = 'correlation.';

/** A query in which pairs are given as `correlation.<key>=<value>`, with these in one object. */
export function withCorrelation(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const pairs = Object.entries(query).filter(([name]) => name.startsWith(prefix));
  if (pairs.length === 0) return { ...query };
  const others = Object.entries(query).filter(([name]) => !name.startsWith(prefix));
  return {
    ...Object.fromEntries(others),
    correlation: Object.fromEntries(pairs.map(([name, value]) => [name.slice(prefix.length), value])),
  };
}

/** The other way round, for a link. */
export function correlationParameters(
  correlation: Readonly<Record<string, string>> = {},
): [name: string, value: string][] {
  return Object.entries(correlation).map(([key, value]) => [`${prefix}${key}`, value]);
}
