import { createHash } from 'node:crypto';
import { z } from 'zod';
import { filledLineOf } from '../text.ts';
import { memberOf } from './read-id.ts';

/** The types, in the order in which Defender wants them, and the keys of their parameters: whether each is mandatory. */
const commandTypes = {
  PutFile: { FileName: true },
  RunScript: { ScriptName: true, Args: false },
  GetFile: { Path: true },
} as const;

type CommandType = keyof typeof commandTypes;

const typeNames = Object.keys(commandTypes) as [CommandType, ...CommandType[]];

/** Defender documents no maximum: these keep a request small. */
const maxCommands = 10;
const maxParams = 4;
const maxKeyLength = 64;
const maxValueLength = 2_048;

const parameter = z.strictObject(
  {
    key: z
      .string({ error: 'must be a string' })
      .max(maxKeyLength, { error: `must have at most ${maxKeyLength} characters` }),
    value: filledLineOf(maxValueLength),
  },
  { error: 'must be an object' },
);

const command = z
  .strictObject(
    {
      type: z.enum(typeNames, { error: `must be one of ${typeNames.join(', ')}` }),
      params: boundedList(parameter, { most: maxParams, of: '{ key, value }' }),
    },
    { error: 'must be an object' },
  )
  .superRefine(({ type, params }, context) => {
    const message = keysFault(commandTypes[type], params);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['params'], message });
  });

/** What a live response runs on a machine: first files that are put there, then scripts, then files that are fetched. */
export const liveCommands = boundedList(command, { most: maxCommands, of: 'commands' }).refine(
  (commands) => isInOrder(commands.map(({ type }) => type)),
  { error: `must be in the order ${typeNames.join(', ')}` },
);

export type LiveCommands = z.output<typeof liveCommands>;

/**
 * The same text for the same commands, 64 hexadecimal characters. The order of a command's own parameters does not count.
 */
export function digestOf(commands: LiveCommands): string {
  const canonical = commands.map(({ type, params }) => [
    type,
    params
      .map(({ key, value }) => [key, value])
      .toSorted(([one = ''], [other = '']) => (one < other ? -1 : 1)),
  ]);
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}

/** The commands that a machine action of Defender's shows; `undefined` where they are not such as can be asked for here. */
export function shownCommands(shown: readonly unknown[] | undefined): LiveCommands | undefined {
  const read = liveCommands.safeParse(shown?.map(asAsked));
  return read.success ? read.data : undefined;
}

/** A command without what Defender adds to it. */
function asAsked(entry: unknown): unknown {
  const shown = memberOf(entry, 'command');
  const params = memberOf(shown, 'params');
  return {
    type: memberOf(shown, 'type'),
    params: Array.isArray(params)
      ? params.map((one: unknown) => ({ key: memberOf(one, 'key'), value: memberOf(one, 'value') }))
      : params,
  };
}

/** Counted before any entry is looked at: a body has room for a great many that are wrong, and each is a fault of its own. */
function boundedList<T extends z.ZodType>(entry: T, { most, of }: { most: number; of: string }) {
  const entries = z.array(entry);
  const { $schema: _, '~standard': __, ...shown } = z.toJSONSchema(entries, { io: 'input' });
  return z
    .array(z.unknown(), { error: `must be an array of ${of}` })
    .min(1, { error: 'must have at least 1 entry', abort: true })
    .max(most, { error: `must have at most ${most} entries`, abort: true })
    .pipe(entries)
    .meta({ ...shown, minItems: 1, maxItems: most });
}

function isInOrder(types: readonly CommandType[]): boolean {
  const places = types.map((type) => typeNames.indexOf(type));
  return places.every((place, index) => index === 0 || place >= (places[index - 1] ?? 0));
}

function keysFault(
  known: Readonly<Record<string, boolean>>,
  params: readonly { readonly key: string }[],
): string | undefined {
  const keys = params.map(({ key }) => key);
  const missing = Object.keys(known).filter((key) => known[key] === true && !keys.includes(key));
  if (missing.length > 0) return `must have the key ${missing.join(', ')}`;
  if (keys.some((key) => !Object.hasOwn(known, key)))
    return `must have no other keys than ${Object.keys(known).join(', ')}`;
  return new Set(keys).size === keys.length ? undefined : 'must have each key once';
}
