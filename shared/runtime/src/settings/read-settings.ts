import type { z } from 'zod';
import { readFileSync } from 'node:fs';

export {
  duration,
  flag,
  httpsUrl,
  isLoopbackHost,
  logLevel,
  port,
  positiveInt,
  share,
  wholeNumber,
} from './setting-kinds.ts';

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

/** What `read` gives; `undefined` where that has faults, which are added to `faults`: one start names those of all that is read. */
export function readOrNote<T>(read: () => T, faults: string[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    faults.push(...error.faults);
    return undefined;
  }
}

/**
 * Checked settings out of the environment, each without blanks and line ends around it. The schema's keys are the names
 * of the variables; one set to the empty string counts as unset. A control character within a value is a fault: what is
 * sent with it is refused elsewhere, in words that lead astray. `describe()` on a setting gives the words for what is expected of it.
 *
 * @param secrets settings whose value may come from a file named by `NAME_FILE`, and must appear in no message
 * @param lists settings in which line ends and tabs may stand, between the entries of a list
 * @throws SettingsError with all faults at once.
 */
export function readSettings<S extends z.ZodObject>(
  schema: S,
  env: Env,
  { secrets = [], lists = [] }: { secrets?: readonly string[]; lists?: readonly string[] } = {},
): z.output<S> {
  const filled = withSecretFiles(trimEnv(env), secrets);
  const set = Object.fromEntries(
    Object.entries(filled.env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(set);
  const controlled = Object.keys(schema.shape).filter((name) =>
    hasControlCharacter(set[name], lists.includes(name)),
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

/** Environment variables by name, as `process.env` has them. */
export type Env = Readonly<Record<string, string | undefined>>;

/**
 * Containers hand secrets over as files: where `NAME_FILE` is set for one of the `names`, its trimmed content becomes
 * the value of `NAME`. A name set both ways, and a file that is empty or cannot be read, is a fault. An empty
 * variable counts as unset.
 */
export function withSecretFiles(env: Env, names: readonly string[]) {
  const filled: Record<string, string | undefined> = { ...env };
  const faults: string[] = [];
  for (const name of names) {
    const path = env[`${name}_FILE`];
    if (!path) continue;
    if (env[name]) {
      faults.push(`${name}: set twice (expected ${name} or ${name}_FILE, not both)`);
      continue;
    }
    const content = readSecret(path);
    if ('text' in content) filled[name] = content.text;
    else faults.push(`${name}_FILE: ${content.why} (expected the path of a file that holds ${name})`);
  }
  return { env: filled, faults };
}

function readSecret(path: string): { readonly text: string } | { readonly why: string } {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? { why: 'the file is empty' } : { text };
  } catch (error) {
    // Only the code: someone may have put the secret itself where a path belongs.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { why: `the file cannot be read, ${code}` };
  }
}

/**
 * The environment as it was meant: without the blanks and line ends around a value that come along from files, pipes and
 * YAML. What held nothing else counts as unset, like an empty value.
 */
export function trimEnv(env: Env): Env {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value?.trim() || undefined]));
}

/** Switches of Node itself that give away what goes over TLS, or let it go to any server. */
const flags: readonly (readonly [flag: string, what: string])[] = [
  ['--tls-keylog', 'writes down the keys of TLS connections'],
  ['--insecure-http-parser', 'takes malformed HTTP for well-formed'],
];

/**
 * What is wrong with the settings that Node itself reads: a service that holds credentials does not start with them,
 * however they came in. One line for each fault.
 */
export function insecureNodeFaults(env: Env, execArgv: readonly string[] = process.execArgv): string[] {
  const faults: string[] = [];
  if (env['NODE_TLS_REJECT_UNAUTHORIZED']?.trim() === '0') {
    faults.push(
      'NODE_TLS_REJECT_UNAUTHORIZED: turns off the check of certificates, so that any server could take the tokens (expected unset; an authority of your own is trusted by NODE_EXTRA_CA_CERTS)',
    );
  }
  const options = (env['NODE_OPTIONS'] ?? '').split(/[\s"]+/);
  for (const [flag, what] of flags) {
    const isSet = (option: string): boolean => option === flag || option.startsWith(`${flag}=`);
    if (options.some(isSet)) faults.push(`NODE_OPTIONS: ${flag} ${what} (expected without it)`);
    else if (execArgv.some(isSet)) faults.push(`node ${flag}: ${what} (expected without it)`);
  }
  return faults;
}

const proxySettings = ['https_proxy', 'ALL_PROXY', 'all_proxy'];

/**
 * Names of other programs' proxy settings that are set and not read: `HTTPS_PROXY` and `NO_PROXY` are. `no_proxy` is one of them only where
 * exceptions would be missing: many platforms set it everywhere.
 */
export function unusedProxySettings(env: Env): string[] {
  const isSet = (name: string): boolean => (env[name] ?? '') !== '';
  const isProxySet = isSet('HTTPS_PROXY') || isSet('HTTPS_PROXY_FILE');
  const names = isProxySet && !isSet('NO_PROXY') ? [...proxySettings, 'no_proxy'] : proxySettings;
  return names.filter(isSet);
}
