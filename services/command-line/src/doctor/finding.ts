import { z } from 'zod';

/** What a check showed, and what to do about it. */
export const finding = z.strictObject({
  check: z.string(),
  /** `unknown`: it could not be checked. */
  state: z.enum(['ok', 'warning', 'fault', 'unknown']),
  detail: z.string(),
  remedy: z.string().optional(),
});

export type Finding = z.output<typeof finding>;
