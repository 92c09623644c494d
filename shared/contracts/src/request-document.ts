import { z } from 'zod';
import { resultKinds } from './operations/profile.ts';
import { resultOutcomes } from './result-outcome.ts';
import { blockedBy } from './blocked-by.ts';
import { callbackState } from './callback-state.ts';
import { machineWarning, machineWarnings } from './machine-warnings.ts';
import { namedMachine } from './machine-name.ts';
import { placement } from './placement.ts';
import { priorities } from './priority.ts';
import { requestStatuses } from './status.ts';

const time = z.iso.datetime();

/** Of the records with one name so many are given. */
export const mostCandidates = 5;

const candidate = z.strictObject({
  machineId: z.string(),
  healthStatus: z.string().optional(),
  lastSeen: time.optional().describe('Its last full report.'),
});

/**
 * Why a request did not end in a started investigation, or why that is not known yet. `defenderTarget` is Defender's own
 * tracking id, for support.
 */
export const requestError = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    candidates: z
      .array(candidate)
      .max(mostCandidates)
      .optional()
      .describe('The records of Defender that leave open which machine is meant, the newest first.'),
    defenderTarget: z.string().optional().describe("Defender's own tracking id, for support."),
  })
  .meta({ id: 'RequestError' });

export type RequestError = z.output<typeof requestError>;

export const requestResult = z
  .strictObject({
    kind: z.enum(resultKinds),
    id: z.string().describe('As Defender names it.'),
    attached: z
      .literal(true)
      .optional()
      .describe('It covers the machine, but is not provably the one that this request asked for.'),
    state: z
      .string()
      .optional()
      .describe("Defender's own word for its state when it was read last. Missing before the first read."),
    outcome: z
      .enum(resultOutcomes)
      .optional()
      .describe('`running` until its end was observed. Missing where results are not followed.'),
    checkedAt: time.optional().describe('When Defender was read for it last.'),
    startedAt: time.optional().describe('When it began, as Defender shows it.'),
    endedAt: time.optional().describe('When it ended, as Defender shows it, where it does.'),
    reason: z.string().optional().describe('Why the outcome is `unknown`.'),
  })
  .meta({ id: 'RequestResult', description: 'What the call started, or what ran already.' });

/** Part of the answer when a request is accepted whose `notAfter` would pass before its call, by the estimate of that moment. */
export const deadlineWarning = z
  .strictObject({
    code: z.literal('deadline_unlikely'),
    message: z.string(),
    expectedStartAt: time,
  })
  .meta({ id: 'DeadlineWarning', description: 'By the present estimate it starts after its `notAfter`.' });

export type DeadlineWarning = z.output<typeof deadlineWarning>;

/** What one caller asked and what became of it: the public resource. Times are ISO 8601 UTC. */
export const requestDocument = z
  .strictObject({
    id: z.string(),
    batchId: z.string().optional(),
    operation: z.string().optional().describe('What is done to the machine, as Defender calls it.'),
    ...namedMachine,
    parameters: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('What the operation takes beside machine and comment.'),
    comment: z.string(),
    priority: z.enum(priorities),
    source: z.string().optional(),
    correlation: z.record(z.string(), z.string()).optional(),
    notAfter: time.optional(),
    status: z.enum(requestStatuses),
    retryOf: z
      .string()
      .optional()
      .describe('The request that ended before and is tried again with this one.'),
    retriedBy: z.string().optional().describe('The newest request that repeats this one.'),
    coalescedWith: z
      .string()
      .optional()
      .describe('The request whose task this one joined: they share one call and its outcome.'),
    createdAt: time,
    expectedStartAt: time
      .optional()
      .describe(
        'By the present state of quota, hold and order; more urgent arrivals move it back. Only while queued.',
      ),
    startNotBefore: time
      .optional()
      .describe(
        'While a hold of unknown length is on, or with `blockedBy`, in place of `expectedStartAt`: it does not start before this time, and when after it is unknown. Only while queued.',
      ),
    position: z
      .int()
      .positive()
      .optional()
      .describe('1 is next. Only while queued, and not while its task is put aside: see `blockedBy`.'),
    blockedBy: blockedBy
      .optional()
      .describe('What it waits for beside a slot. Only while queued, where the one request is asked for.'),
    placement: placement
      .optional()
      .describe('Why it stands at its `position`. Only while queued, where the one request is asked for.'),
    warning: deadlineWarning.optional().describe('Only in the answer that accepts the request.'),
    warnings: z
      .array(machineWarning)
      .max(Object.keys(machineWarnings).length)
      .optional()
      .describe('What a look at the machine showed ahead of the call.'),
    dispatchedAt: time.optional(),
    endedAt: time
      .optional()
      .describe('When it got its last status: started, failed, unknown, cancelled or expired.'),
    investigationId: z.string().optional().describe('The id of `result`, where that is an investigation.'),
    result: requestResult.optional(),
    error: requestError
      .optional()
      .describe(
        'While `dispatching`: the answer was lost, and Defender is being asked what became of the call.',
      ),
    attempts: z
      .int()
      .nonnegative()
      .describe(
        'Calls for this request that Defender answered or that may have reached it; waiting is none.',
      ),
    callback: callbackState.optional().describe("Of its own callback, not of its batch's."),
    endCallback: callbackState
      .optional()
      .describe('Of its callback `request.ended`, once the end of its result was observed.'),
  })
  .meta({ id: 'InvestigationRequest', description: 'What one caller asked and what became of it.' });

export type RequestDocument = z.output<typeof requestDocument>;
