import { z } from 'zod';
import { machineId } from './machine-id.ts';
import { priorities } from './priority.ts';

export const maxCommentLength = 4_000;

const correlation = z
  .record(
    z.string().min(1, 'must have a name').max(64, 'must have a name of at most 64 characters'),
    z.string({ error: 'must be a string' }).max(256, 'must have at most 256 characters'),
    { error: 'must be an object of strings' },
  )
  .refine((fields) => Object.keys(fields).length <= 20, 'must have at most 20 entries');

/** What `defaults` of a batch may hold: every field of an item that can sensibly be shared. */
const shareable = {
  comment: z
    .string({ error: 'must be a string' })
    .max(maxCommentLength, `must have at most ${maxCommentLength} characters`)
    .refine((text) => text.trim() !== '', 'must not be empty'),
  priority: z.enum(priorities, { error: `must be one of ${priorities.join(', ')}` }),
  notAfter: z.iso
    .datetime({ offset: true, error: 'must be an ISO 8601 time with a zone, such as 2026-11-30T08:00:00Z' })
    .transform((text) => new Date(text).toISOString())
    // A zone can push the last hours of the year 9999 over the end of the format.
    .refine((utc) => /^\d{4}-/.test(utc), 'must lie between the years 0 and 9999'),
  source: z
    .string({ error: 'must be a string' })
    .min(1, 'must not be empty')
    .max(128, 'must have at most 128 characters'),
  correlation,
};

/** One investigation request as a caller posts it. Unknown keys are refused: a misspelt deadline must not vanish. */
export const investigationItem = z.strictObject({
  machineId,
  comment: shareable.comment,
  priority: shareable.priority.default('medium'),
  notAfter: shareable.notAfter.optional(),
  source: shareable.source.optional(),
  correlation: shareable.correlation.optional(),
});

export type InvestigationItem = z.output<typeof investigationItem>;

/** Fields that every item of a batch takes over unless it has its own. */
export const itemDefaults = z.strictObject(shareable).partial();
