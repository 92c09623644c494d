import { z } from 'zod';
import { namedMachine } from './machine-name.ts';
import { fieldFault } from './field-fault.ts';
import { deadlineWarning, requestResult } from './request-document.ts';

const index = z.int().nonnegative().describe('Where the item stood in `requests`, from 0.');
const time = z.iso.datetime();
const coalescedWith = z
  .string()
  .describe('The request whose call it shares, or whose investigation was started just before.');
const warning = deadlineWarning.optional();

/** Why an item of a batch was refused. */
export const itemError = z
  .strictObject({
    code: z.enum(['invalid_item', 'deadline_unreachable', 'too_many_joined']),
    message: z.string(),
    errors: z
      .array(fieldFault)
      .max(1)
      .describe(
        'The first fault. Empty where no field is at fault, or so much was refused that it is not named.',
      ),
    furtherFaults: z.int().positive().optional().describe('Faults besides the first.'),
    expectedStartAt: time.optional().describe('Where it would have started too late.'),
  })
  .meta({ id: 'ItemError', description: 'Why an item of a batch was refused.' });

export type ItemError = z.output<typeof itemError>;

/** The same as it is kept with a batch: the sentence is made of the rest. */
export const storedItemError = z.object(itemError.omit({ message: true }).shape);

export type StoredItemError = z.output<typeof storedItemError>;

const rejected = {
  index,
  machineId: z.string().optional().describe('As it was posted.'),
  machineName: namedMachine.machineName,
  aadDeviceId: namedMachine.aadDeviceId,
  status: z.literal('rejected'),
  error: itemError,
};

/** What became of one item of a batch. */
const itemAnswer = z
  .discriminatedUnion('status', [
    z.strictObject({ index, id: z.string(), ...namedMachine, status: z.literal('accepted'), warning }),
    z.strictObject({
      index,
      id: z.string(),
      ...namedMachine,
      status: z.literal('coalesced'),
      coalescedWith,
      warning,
    }),
    z.strictObject(rejected),
  ])
  .meta({ id: 'ItemAnswer', description: 'What became of one item.' });

export type ItemAnswer = z.output<typeof itemAnswer>;

const counts = z.strictObject({
  accepted: z.int().nonnegative().describe('Got a call of their own.'),
  coalesced: z.int().nonnegative().describe('Share one.'),
  rejected: z.int().nonnegative(),
});

const refusalsWithoutFault = z
  .int()
  .positive()
  .optional()
  .describe(
    'Refused items whose fault is not named, because so many were refused: all behind the last that is.',
  );

/** The answer to a batch that was accepted. */
export const batchAnswer = z
  .strictObject({
    id: z.string(),
    status: z.literal('running'),
    counts,
    refusalsWithoutFault,
    items: z.array(itemAnswer).describe('In the order in which they were posted.'),
  })
  .meta({ id: 'BatchAnswer', description: 'The answer to a batch that was accepted.' });

const expected = {
  position: z.int().positive().optional().describe('The place that it would get; 1 is next.'),
  expectedStartAt: time.optional(),
  warning,
};
const expectedAlone = { ...namedMachine, ...expected };
const coalesced = z.literal('coalesced');

/** What would become of one request; `index` is there in a batch. */
const foreseen = {
  accepted: { ...expectedAlone, status: z.literal('accepted') },
  coalesced: {
    ...expectedAlone,
    status: coalesced,
    coalescedWith,
    investigationId: z.string().optional().describe('The investigation that it would share.'),
    result: requestResult.optional().describe('What it would share.'),
  },
};

/** What would become of one item. One that would join another of the same POST has the other's index, since there are no ids. */
const dryRunItem = z
  .union([
    z.strictObject({ index, ...foreseen.accepted }),
    z.strictObject({ index, ...foreseen.coalesced }),
    z.strictObject({ index, ...expectedAlone, status: coalesced, coalescedWithIndex: z.int().nonnegative() }),
    z.strictObject(rejected),
  ])
  .meta({ id: 'DryRunItem', description: 'What would become of one item.' });

export type DryRunItem = z.output<typeof dryRunItem>;

/** The answer to a batch with `dryRun=true`. */
export const batchDryRun = z
  .strictObject({
    dryRun: z.literal(true),
    counts,
    refusalsWithoutFault,
    items: z.array(dryRunItem),
    expectedCompletionAt: time.nullable().describe('null while it cannot be estimated.'),
  })
  .meta({ id: 'BatchDryRun', description: 'What would become of a batch; nothing was recorded.' });

export type BatchDryRun = z.output<typeof batchDryRun>;

const dryRun = z.literal(true);
const { index: _, ...rejectedAlone } = rejected;

/** The answer to a single request with `dryRun=true`. */
export const requestDryRun = z
  .union([
    z.strictObject({ dryRun, ...foreseen.accepted }),
    z.strictObject({ dryRun, ...foreseen.coalesced }),
    z.strictObject({ dryRun, ...rejectedAlone }),
  ])
  .meta({ id: 'RequestDryRun', description: 'What would become of a request; nothing was recorded.' });
