import { z } from 'zod';
import { blockedBy } from './blocked-by.ts';
import { placement } from './placement.ts';
import { priorities } from './priority.ts';

const time = z.iso.datetime();

const nextCall = z
  .strictObject({
    position: z.int().positive().describe('1 is next.'),
    machineId: z.string(),
    requestId: z.string().describe('The request that was first; others may share the call.'),
    createdAt: time.describe('When it was asked for first.'),
    expectedStartAt: time.optional(),
    startNotBefore: time
      .optional()
      .describe('While a hold of unknown length is on, or with `blockedBy`, in place of `expectedStartAt`.'),
    blockedBy: blockedBy.optional().describe('What it waits for beside a slot.'),
    placement,
  })
  .meta({ id: 'NextCall', description: 'A call that waits, and why it stands where it does.' });

const blockedCall = z
  .strictObject({
    machineId: z.string(),
    requestId: z.string().describe('The request that was first; others may share the call.'),
    createdAt: time.describe('When it was asked for first.'),
    priority: z.enum(priorities),
    blockedBy,
  })
  .meta({
    id: 'BlockedCall',
    description: 'A call that waits and is put aside: it has no place in the order meanwhile.',
  });

export type NextCall = z.output<typeof nextCall>;
export type BlockedCall = z.output<typeof blockedCall>;

/** The first calls in the order, and how many wait. */
export const nextCalls = z
  .strictObject({
    waiting: z.int().nonnegative().describe('Calls that wait in all.'),
    keptForCritical: z
      .strictObject({
        slots: z.int().nonnegative().describe('That only critical requests can have.'),
        criticalWaiting: z.int().nonnegative().describe('Critical calls that wait.'),
      })
      .describe('`QUOTA_RESERVE_CRITICAL`, and how many it is for.'),
    value: z.array(nextCall),
    blocked: z
      .array(blockedCall)
      .describe(
        'The first of those that are put aside, up to `limit` of each reason; how many there are tells `blocked` of the quota.',
      ),
  })
  .meta({ id: 'NextCalls', description: 'What goes next, by the present state of the queue.' });

export type NextCalls = z.output<typeof nextCalls>;
