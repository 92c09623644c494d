import type { z } from 'zod';
import { insecureNodeFaults } from './insecure-node.ts';
import { withSecretFiles, type Env } from './secret-file.ts';
import { trimEnv } from './trim-env.ts';

export {
  duration,
  flag,
  httpsUrl,
  isLoopbackHost,
  logLevel,
  port,
  positiveInt,
  wholeNumber,
} from './setting-kinds.ts';
export type { DurationBounds } from './setting-kinds.ts';
export type { Env } from './secret-file.ts';
export { trimEnv } from './trim-env.ts';

/** The environment does not hold usable settings. The message lists every fault, one per line. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  /** Each `NAME: what is wrong (what is expected)`. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** What else is known about the settings. */
export interface ReadSettingsOptions {
  /** Settings whose value may come from a file named by `NAME_FILE`, and must appear in no message. */
  readonly secrets?: readonly string[];
  /** Settings in which line ends and tabs may stand, between the entries of a list. */
  readonly lists?: readonly string[];
}

/**
 * Checked settings out of the environment, each without blanks and line ends around it. The schema's keys are the names
 * of the variables; one set to the empty string counts as unset. A control character within a value is a fault: what is
 * sent with it is refused elsewhere, in words that lead astray. `describe()` on a setting gives the words for what is expected of it.
 *
 * @throws SettingsError with all faults at once.
 */
export function readSettings<S extends z.ZodObject>(
  schema: S,
  env: Env,
  options: ReadSettingsOptions = {},
): z.output<S> {
  const secrets = options.secrets ?? [];
  const filled = withSecretFiles(trimEnv(env), secrets);
  const set = Object.fromEntries(
    Object.entries(filled.env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(set);
  const controlled = Object.keys(schema.shape).filter((name) =>
    hasControlCharacter(set[name], options.lists?.includes(name) ?? false),
  );
  const ownFaults = [
    ...insecureNodeFaults(env),
    ...filled.faults,
    ...controlled.map((name) => `${name}: holds a control character, such as a line end (expected none)`),
  ];
  const faultedNames = new Set(ownFaults.map((fault) => fault.split(':')[0]?.replace(/_FILE$/, '')));
  const issues = (result.error?.issues ?? [])
    // A secret whose file failed is also "not set"; one fault for one cause.
    .filter((issue) => !faultedNames.has(String(issue.path[0])))
    .map((issue) => writeFault(schema, issue, set));
  const faults = [...ownFaults, ...issues];
  if (faults.length === 0 && result.success) return result.data;
  const secretValues = secrets.map((name) => set[name]).filter((value) => value !== undefined);
  throw new SettingsError([...new Set(faults)].map((fault) => withoutSecrets(fault, secretValues)));
}

// oxlint-disable-next-line no-control-regex
const controlCharacter = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

function hasControlCharacter(value: string | undefined, isList: boolean): boolean {
  return value !== undefined && controlCharacter.test(isList ? value.replaceAll(/[\t\r\n]/g, '') : value);
}

function writeFault(
  schema: z.ZodObject,
  issue: z.core.$ZodIssue,
  set: Readonly<Record<string, unknown>>,
): string {
  const name = issue.path.length > 0 ? String(issue.path[0]) : 'settings';
  if (issue.code === 'custom') return `${name}: ${issue.message}`;
  const expected = describeExpected(schema.shape[name], issue);
  return `${name}: ${name in set ? 'not usable' : 'not set'} (expected ${expected})`;
}

function describeExpected(setting: z.core.$ZodType | undefined, issue: z.core.$ZodIssue): string {
  const described = setting && descriptionOf(setting);
  if (described) return described;
  if (issue.code === 'invalid_value') return `one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'invalid_type') return 'a value';
  return issue.message;
}

// `optional()`, `default()` and `prefault()` wrap the described schema, and a wrapper has no description of its own.
function descriptionOf(setting: z.core.$ZodType): string | undefined {
  if ('description' in setting && typeof setting.description === 'string') return setting.description;
  const inner = 'innerType' in setting._zod.def ? setting._zod.def.innerType : undefined;
  return inner ? descriptionOf(inner as z.core.$ZodType) : undefined;
}

/** A shorter value is no secret worth the name, and stands in any message by chance: "1" is in "from 1 to 10". */
const shortestSecret = 8;

// The kinds of this package repeat no value; a message written elsewhere, or by zod, might.
function withoutSecrets(text: string, values: readonly string[]): string {
  return values
    .filter((value) => value.length >= shortestSecret)
    .reduce((safe, value) => safe.replaceAll(value, '[redacted]'), text);
}
