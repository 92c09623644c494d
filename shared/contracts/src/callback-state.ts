import { z } from 'zod';
import { lineOf } from './text.ts';

/** Every state the delivery of a callback can have. `retrying` goes on by itself; the last three are final. */
export const callbackStates = ['pending', 'retrying', 'delivered', 'gone', 'failed'] as const;

/**
 * Why an attempt brought no answer: the URL is not allowed by the present settings, its name leads to an address that
 * is not allowed, no server could be reached there, or no answer came in time.
 */
export const callbackErrors = ['not_allowed', 'address_not_allowed', 'unreachable', 'timeout'] as const;

/** What became of a callback, as its request or batch shows it. */
export const callbackState = z
  .strictObject({
    url: z
      .string()
      .describe('Whom it goes to: path and query are left out, since they may be secrets of the receiver.'),
    state: z.enum(callbackStates),
    attempts: z.int().nonnegative(),
    lastStatus: z
      .int()
      .optional()
      .describe('Of the last attempt, if it was answered; else `lastError` says why.'),
    lastError: z.enum(callbackErrors).optional(),
    lastAttemptAt: z.iso.datetime().optional(),
    deliveredAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'CallbackState' });

export type CallbackState = z.output<typeof callbackState>;

export const maxCallbackUrlLength = 2_048;

/** A URL as a caller writes it. */
export const callbackUrlText = lineOf(maxCallbackUrlLength);
