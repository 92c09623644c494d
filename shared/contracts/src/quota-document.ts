import { z } from 'zod';
import { holdActions, holdReasons } from './hold-reasons.ts';
import { operationNames } from './operations.ts';
import { resultOutcomes } from './result-outcome.ts';

const time = z.iso.datetime();

/** `absent`: none is alive. `stalled`: alive, but nothing is called although slots are free, work waits and no hold is on. */
export const workerStates = ['active', 'absent', 'stalled'] as const;

export type WorkerState = (typeof workerStates)[number];

/** A pause as operators see it. */
const pause = z
  .strictObject({
    by: z.string(),
    displayName: z
      .string()
      .optional()
      .describe('Of a person who signed in with Entra ID to the status page.'),
    reason: z.string().optional(),
    since: z.iso.datetime(),
    until: z.iso.datetime().nullable().describe('null for one that lasts until the queue is resumed.'),
  })
  .meta({ id: 'Pause' });

/** The answer to a pause. */
export const queuePaused = z.strictObject({ pause: pause.nullable() });

/** The answer to the end of a pause. */
export const queueResumed = z.strictObject({ pause: z.null(), wasPaused: z.boolean() });

const slot = z.strictObject({
  at: time.nullable().describe('When the permit was spent.'),
  machineId: z.string().nullable(),
  outcome: z.string().describe('`in_flight` until the call was answered.'),
  freeAt: time.nullable().describe('When the slot is free again, in the longest window.'),
});

const limit = z.strictObject({
  calls: z
    .int()
    .nonnegative()
    .describe('Calls allowed in any window of this length, after a 429 fewer for a time.'),
  windowSeconds: z.number().positive(),
  used: z.int().nonnegative(),
  remaining: z.int().nonnegative(),
  nextSlotAt: time.nullable().describe('When a slot of this window is free: now, if one is.'),
});

/** What may be called for a queue, what is in the way, and how much there is to do. */
export const quotaDocument = z
  .strictObject({
    tenant: z.string(),
    operation: z.enum(operationNames),
    limits: z
      .array(limit)
      .describe('All windows in which calls are counted, the shortest first. A call needs a slot of each.'),
    limit: z
      .int()
      .nonnegative()
      .describe(
        'This and the next three are those of the scarcest of `limits`: the one that stops calls first.',
      ),
    windowSeconds: z.number().positive(),
    used: z.int().nonnegative(),
    remaining: z.int().nonnegative(),
    nextSlotAt: time.nullable().describe('When the next call may be made; null while that is unknown.'),
    hold: z
      .strictObject({
        until: time
          .nullable()
          .describe(
            'At the least; null for a hold that an operator has to end, or that ends as soon as its cause does.',
          ),
        reason: z.enum(holdReasons),
        action: z
          .enum(holdActions)
          .describe(
            '`required`: nothing goes on until an operator acts. `check`: it may pass by itself. `none`: it ends by itself.',
          ),
        detail: z.string().describe('What to check, and what Defender answered last.'),
        runbook: z.string().describe('Where the documentation says what to do.'),
      })
      .nullable()
      .describe('Why no call may be made now, although a slot may be free.'),
    pause: pause.nullable().describe('By an operator.'),
    workers: z.strictObject({
      state: z
        .enum(workerStates)
        .describe(
          '`absent`: no worker is alive. `stalled`: alive, but for 30 s nothing is called although slots are free, work waits and no hold is on.',
        ),
      alive: z.int().nonnegative().describe('Workers that showed a sign of life within 10 s.'),
      lastSeenAt: time
        .nullable()
        .describe('The last sign of life of any worker; null if there never was one.'),
    }),
    slots: z.array(slot).describe('The newest of those in use, 100 at most.'),
    slotsSaved: z
      .strictObject({
        machineUnknown: z.int().nonnegative().describe('Defender did not know the machine.'),
        alreadyCovered: z.int().nonnegative().describe('What was asked for ran already.'),
      })
      .describe(
        'Tasks that ended without a call, because a look shortly before showed that it would be for nothing.',
      ),
    results: z
      .strictObject({
        open: z.int().nonnegative().describe('Results that are followed and have no observed end.'),
        byOutcome: z
          .record(z.enum(resultOutcomes), z.int().nonnegative())
          .describe('Requests that share them, as long as these are kept.'),
      })
      .describe('What calls started, and what ran already.'),
    blocked: z
      .strictObject({
        machineBusy: z.int().nonnegative().describe('Calls that wait for their turn on their machine.'),
        machineOffline: z
          .int()
          .nonnegative()
          .describe('Calls that are put behind others, since Defender gets no reports of their machine.'),
        concurrency: z
          .strictObject({ running: z.int().nonnegative(), limit: z.int().positive() })
          .nullable()
          .describe(
            'Of an operation of which Defender runs only so many at once: while as many run, none is called.',
          ),
      })
      .describe('What waits for something else than a slot.'),
    queue: z.strictObject({
      queued: z.int().nonnegative().describe('Requests that wait for their call.'),
      dispatching: z.int().nonnegative().describe('Requests whose call is under way.'),
      lookingUp: z
        .int()
        .nonnegative()
        .describe(
          'Requests whose call was made and whose lost answer is being looked up in Defender. Their status is `dispatching` too; they are not counted there.',
        ),
      oldestWaitSeconds: z.number().nonnegative(),
      expectedDrainAt: time
        .nullable()
        .describe(
          'When the last waiting call starts, those of `blocked` left out; null if none waits or that is unknown.',
        ),
      startNotBefore: time
        .nullable()
        .describe(
          'While a hold of unknown length is on, no worker is alive or as many calls run as may: no call starts before. Null otherwise.',
        ),
    }),
  })
  .meta({ id: 'Quota', description: 'What may be called, what is in the way, and how much there is to do.' });

export type QuotaDocument = z.output<typeof quotaDocument>;

/** One queue in a list. */
export const queueSummary = z
  .strictObject({
    tenant: z.string(),
    operation: z.enum(operationNames),
    isReadable: z
      .boolean()
      .describe(
        'False while its part of Redis cannot be asked or another version holds it; the rest is absent then.',
      ),
    limits: z.array(limit).optional(),
    nextSlotAt: time.nullable().optional(),
    hold: z.enum(holdReasons).nullable().optional(),
    queued: z.int().nonnegative().optional(),
    dispatching: z.int().nonnegative().optional(),
    oldestWaitSeconds: z.number().nonnegative().optional(),
    expectedDrainAt: time.nullable().optional(),
  })
  .meta({ id: 'QueueSummary', description: 'One queue in short; `GET /v1/quota` has all of it.' });

export type QueueSummary = z.output<typeof queueSummary>;
