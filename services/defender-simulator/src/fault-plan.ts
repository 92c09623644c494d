import { z } from 'zod';
import { onRunningAnswers } from './config.ts';
import { retiredForms, unusableForms } from './defender/absent-endpoint.ts';
import { entraErrorCodes } from './entra/entra-errors.ts';
import { contradictions } from './false-rows.ts';

const madeFlag = z.boolean().default(false);

const action = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(200).max(599),
    body: z.unknown().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    retryAfter: z.union([z.int().min(0), z.string().min(1), z.null()]).optional(),
    made: madeFlag,
  }),
  z.strictObject({ kind: z.literal('delay'), ms: z.number().min(0).max(86_400_000) }),
  z.strictObject({ kind: z.literal('hang'), made: madeFlag }),
  z.strictObject({ kind: z.literal('reset'), when: z.enum(['before', 'after']) }),
  z.strictObject({
    kind: z.literal('broken-body'),
    form: z.enum(['truncated', 'not-json', 'no-value', 'byte-order-mark', 'odd-rows']),
  }),
  z.strictObject({ kind: z.literal('late'), ms: z.number().min(0).max(86_400_000) }),
  z.strictObject({ kind: z.literal('contradictory'), form: z.enum(contradictions) }),
  z.strictObject({ kind: z.literal('retired'), form: z.enum(retiredForms) }),
  z.strictObject({ kind: z.literal('unusable'), form: z.enum(unusableForms) }),
  z.strictObject({ kind: z.literal('on-running'), answer: z.enum(onRunningAnswers) }),
  z.strictObject({ kind: z.literal('token-refused'), error: z.enum(entraErrorCodes) }),
]);

/** A scripted fault as the control route takes it. README.md says what each action does. */
export const faultSchema = z
  .strictObject({
    target: z.enum(['start', 'token', 'read']),
    times: z.int().min(1).nullable().default(1),
    when: z.strictObject({ machineId: z.string().optional(), read: z.string().optional() }).default({}),
    action,
  })
  .refine(({ target, action: { kind } }) => kind !== 'token-refused' || target === 'token', {
    path: ['action', 'kind'],
    message: 'token-refused is for the target token',
  })
  .refine(({ target, action: { kind } }) => kind !== 'on-running' || target === 'start', {
    path: ['action', 'kind'],
    message: 'on-running is for the target start',
  })
  .refine(
    ({ target, action: { kind } }) => target === 'read' || (kind !== 'late' && kind !== 'contradictory'),
    {
      path: ['action', 'kind'],
      message: 'late and contradictory are for the target read',
    },
  );

export type Fault = z.output<typeof faultSchema>;
export type FaultAction = Fault['action'];
export type FaultTarget = Fault['target'];

/** A fault in the plan. `times` is what is left of it, null for ever. */
export interface PlannedFault extends Fault {
  id: string;
}

/** What a request is matched against. `read` is the name of a reading route. */
export interface FaultOccasion {
  machineId?: string;
  read?: string;
}

/** Scripted faults, used up in the order in which they were added. */
export interface FaultPlan {
  add(fault: Fault): PlannedFault;
  /** Takes the first fault that fits, or gives undefined when this request is to be served properly. */
  next(target: FaultTarget, occasion: FaultOccasion): FaultAction | undefined;
  list(): readonly PlannedFault[];
  clear(): void;
}

export function createFaultPlan(): FaultPlan {
  let planned: PlannedFault[] = [];
  let added = 0;
  return {
    add(fault) {
      added += 1;
      const entry = { ...fault, id: `fault-${added}` };
      planned.push(entry);
      return entry;
    },
    next(target, occasion) {
      const fault = planned.find((candidate) => fits(candidate, target, occasion));
      if (fault === undefined) return undefined;
      if (fault.times !== null) {
        fault.times -= 1;
        if (fault.times === 0) planned = planned.filter((other) => other !== fault);
      }
      return fault.action;
    },
    list: () => planned,
    clear() {
      planned = [];
    },
  };
}

function fits(fault: PlannedFault, target: FaultTarget, occasion: FaultOccasion): boolean {
  const { machineId, read } = fault.when;
  return (
    fault.target === target &&
    (machineId === undefined || machineId === occasion.machineId) &&
    (read === undefined || read === occasion.read)
  );
}
