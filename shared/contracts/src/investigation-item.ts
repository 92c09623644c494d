import { z } from 'zod';
import type { OperationProfile, Parameters } from './operations/profile.ts';
import { callbackUrlText } from './callback-state.ts';
import { commentText } from './comment.ts';
import { aadDeviceId, machineName } from './machine-name.ts';
import { priorities } from './priority.ts';
import { filledLineOf, lineOf, nameOf } from './text.ts';
import { countFaults, fieldFaults, type FieldFault } from './field-fault.ts';

/**
 * A Defender machine id: 40 hexadecimal characters today, 32 in the API's first generation.
 * Case carries no meaning; it is stored in lower case, so that two spellings meet in one task.
 */
export const machineId = z
  .string({ error: 'must be a string' })
  .regex(
    /^(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})$/,
    'must be a Defender machine id: 32 or 40 hexadecimal characters (a host name or an IP address is not one)',
  )
  .toLowerCase();

const maxCorrelationEntries = 20;

/** A source, as it is named in an item and looked for. */
export const sourceText = filledLineOf(128);

const correlationFields = z.record(nameOf(64), lineOf(256), { error: 'must be an object of strings' });

/** How documents show what is checked in two steps. */
function asJsonSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, '~standard': __, ...shown } = z.toJSONSchema(schema, { io: 'input' });
  return { ...shown, maxProperties: maxCorrelationEntries };
}

/**
 * Entries are counted before any of them is looked at: they may be as many as a body has room for. And a record leaves out
 * a field of the name `__proto__` without a word, and nothing that a caller sent may vanish.
 */
export const correlation = z
  .unknown()
  .superRefine((fields, context) => {
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return;
    if (Object.keys(fields).length > maxCorrelationEntries) {
      const message = `must have at most ${maxCorrelationEntries} entries`;
      context.addIssue({ code: 'custom', message });
    }
    if (Object.hasOwn(fields, '__proto__')) {
      context.addIssue({ code: 'custom', path: ['__proto__'], message: 'is no name that can be kept' });
    }
  })
  .pipe(correlationFields)
  .meta(asJsonSchema(correlationFields));

function isObject(value: unknown): value is Parameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Any object: which members it may have is the operation's, see `itemOf`. */
const anyParameters = z.custom<Parameters>(isObject, { error: 'must be an object' }).meta({ type: 'object' });

/** What `defaults` of a batch may hold: every field of an item that can sensibly be shared. */
const shareable = {
  comment: commentText.describe(
    'Shown in Defender, whole. Something in it can be seen, and no control characters but tabs and line ends; a line that begins with two dashes or what looks like them, or that changes the direction of its letters, is sent with `> ` in front, which counts.',
  ),
  priority: z
    .enum(priorities, { error: `must be one of ${priorities.join(', ')}` })
    .describe(
      'How much sooner it goes. Within a class callers take turns, and the sources of a caller within its turns.',
    ),
  notAfter: z.iso
    .datetime({ offset: true, error: 'must be an ISO 8601 time with a zone, such as 2026-11-30T08:00:00Z' })
    .transform((text) => new Date(text).toISOString())
    // A zone can push the last hours of the year 9999 over the end of the format.
    .refine((utc) => /^\d{4}-/.test(utc), 'must lie between the years 0 and 9999')
    .describe('It is not started later than this: it ends as `expired`.'),
  source: sourceText.describe(
    'For whom the caller asks: a playbook, a team. One line, without control characters. Sources take turns within their caller.',
  ),
  correlation: correlation.describe(
    'Given back with the request: incident, case, run. One line each, without control characters.',
  ),
  strict: z
    .boolean({ error: 'must be true or false' })
    .describe(
      'Refused, rather than accepted with a warning, when `notAfter` cannot be met by the present estimate.',
    ),
  force: z
    .boolean({ error: 'must be true or false' })
    .describe('Not satisfied with an investigation of the machine that was started just before.'),
  parameters: anyParameters.describe(
    'What the operation takes beside machine and comment; checked by the schema of the operation.',
  ),
  callbackUrl: callbackUrlText.describe(
    'Called when the request has ended. Only hosts that the operators allow.',
  ),
};

const namings = ['machineId', 'machineName', 'aadDeviceId'] as const;

/** The same in JSON Schema, for documents that show items. */
export const namedOnce = namings.map((field) => ({ required: [field] }));

/** One investigation request as a caller posts it. Unknown keys are refused: a misspelt deadline must not vanish. */
export const investigationItem = z
  .strictObject({
    machineId: machineId.optional(),
    machineName: machineName
      .optional()
      .describe('In place of `machineId`: the DNS name, which is looked up in Defender.'),
    aadDeviceId: aadDeviceId
      .optional()
      .describe('In place of `machineId`: the id of the device in Entra ID, which is looked up in Defender.'),
    comment: shareable.comment,
    priority: shareable.priority.default('medium'),
    notAfter: shareable.notAfter.optional(),
    source: shareable.source.optional(),
    correlation: shareable.correlation.optional(),
    strict: shareable.strict.optional(),
    force: shareable.force.optional(),
    parameters: shareable.parameters.optional(),
    callbackUrl: shareable.callbackUrl.optional(),
  })
  .meta({
    id: 'InvestigationItem',
    description:
      'One machine to be investigated, named by exactly one of `machineId`, `machineName` and `aadDeviceId`.',
    oneOf: namedOnce,
  });

export type InvestigationItem = z.output<typeof investigationItem>;

/** Fields that every item of a batch takes over unless it has its own. */
export const itemDefaults = z.strictObject(shareable).partial();

export const maxBatchItems = 10_000;

/**
 * The envelope of a bulk request. Items are only counted here and validated one by one afterwards, so that a bad item
 * rejects itself and not the batch.
 */
export const investigationBatch = z.strictObject({
  requests: z
    .array(z.unknown(), { error: 'must be an array of items' })
    .min(1, 'must have at least 1 item')
    .max(maxBatchItems, `must have at most ${maxBatchItems} items`),
  defaults: itemDefaults.optional(),
  /** Called when the whole batch is complete. */
  callbackUrl: callbackUrlText.optional(),
});

export type InvestigationBatch = z.output<typeof investigationBatch>;

/** `faultCount`: how many faults there are, of which the first ones are named. */
export type ParsedItem =
  { ok: true; item: InvestigationItem } | { ok: false; faults: FieldFault[]; faultCount: number };

/** What items of an operation are checked by: `parameters` as its profile says, with the names of their faults. */
export type ItemRules = ReturnType<typeof makeRules>;

type RuledProfile = Pick<OperationProfile, 'parameters' | 'order'>;

const knownRules = new WeakMap<RuledProfile, ItemRules>();

/**
 * The schemas of an operation's items and of the envelope of a batch of them. Many queues have one operation, and zod compiles
 * each schema when it checks first: so they are made once.
 */
export function itemRulesOf(profile: RuledProfile): ItemRules {
  const rules = knownRules.get(profile) ?? makeRules(profile);
  knownRules.set(profile, rules);
  return rules;
}

function makeRules({ parameters, order }: RuledProfile) {
  const own = { parameters: parameters.optional() };
  return {
    /** Its requests take turns on their machine from their acceptance on, so the machine must be known by then. */
    needsId: order !== undefined,
    // What is left out is checked as if nothing were in it, so that what is missing is named.
    item: investigationItem.extend({ parameters: parameters.prefault({}) }),
    batch: investigationBatch.extend({ defaults: itemDefaults.extend(own).optional() }),
  };
}

/** Validates one item against the rules of its operation, the batch's defaults filled in where the item says nothing. */
export function parseItem(
  input: unknown,
  nowMs: number,
  rules: ItemRules,
  defaults?: InvestigationBatch['defaults'],
): ParsedItem {
  const parsed = rules.item.safeParse(withDefaults(input, defaults), { reportInput: true });
  const misnamed = namingFaults(withDefaults(input, defaults), rules);
  if (!parsed.success || misnamed.length > 0) {
    const faults = [...misnamed, ...(parsed.success ? [] : fieldFaults(parsed.error))];
    return {
      ok: false,
      faults,
      faultCount: misnamed.length + (parsed.success ? 0 : countFaults(parsed.error)),
    };
  }
  if (parsed.data.notAfter !== undefined && Date.parse(parsed.data.notAfter) <= nowMs) {
    return { ok: false, faults: [{ path: 'notAfter', message: 'must lie in the future' }], faultCount: 1 };
  }
  const { parameters, ...item } = parsed.data;
  return { ok: true, item: Object.keys(parameters).length === 0 ? item : { ...item, parameters } };
}

/** A machine is named exactly once. */
function namingFaults(input: unknown, { needsId }: Pick<ItemRules, 'needsId'>): FieldFault[] {
  if (!isObject(input)) return [];
  const [first, ...others] = namings.filter((field) => input[field] !== undefined);
  if (first === undefined) return [{ path: 'machineId', message: 'is required' }];
  if (needsId && first !== 'machineId')
    return [
      {
        path: first,
        message: 'is not taken by this operation, whose calls take turns on a machine: use machineId',
      },
    ];
  return others.map((path) => ({ path, message: `must not stand beside ${first}: a machine is named once` }));
}

function withDefaults(input: unknown, defaults: InvestigationBatch['defaults']): unknown {
  return defaults && isObject(input) ? { ...defaults, ...input } : input;
}
