import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

/** How much is logged, by whom, and where to. */
export interface LoggerOptions {
  /** Least severe level that is written. */
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Name of the service, on every line. */
  readonly service: string;
  /** Default: standard output, written at once, so that nothing is lost when the process ends. */
  readonly destination?: DestinationStream;
}

/**
 * A pino logger that writes JSON lines and lets no secret through. Four nets, each for what the others miss: records
 * are copied without secrets at any depth; paths cover objects of a class (such as a request) and the bindings of
 * child loggers; errors keep a closed list of fields; and each finished line is searched for credentials by form.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: { service: options.service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: redactRecord },
    serializers: { err: (error: unknown) => describeError(error) },
    redact: { paths: secretPaths(), censor: redacted },
    hooks: { streamWrite: (line: string) => escapeUnseen(redactText(line)) },
  };
  // Said outright, because pino's own choice flushes once more at exit, and that flush never ends when the process that read
  // our output has died: the process could then not exit.
  return pino(settings, options.destination ?? destination({ dest: 1, sync: true }));
}

/** Seen by no reader, or taken for the end of a line or a command to a terminal. pino escapes what JSON forbids, ASCII alone. */
const unseen = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** As JSON says the same of it. */
function escapeUnseen(line: string): string {
  return line.replace(unseen, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

function secretPaths(): string[] {
  const keys = secretKeys.flatMap((key) => [...new Set([key, key.toLowerCase()])]);
  return [...new Set(keys)].flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]);
}

/** What stands in the place of a secret. */
const redacted = '[redacted]';

/** Keys whose values never reach a log, compared without regard to case, `-` and `_`. */
export const secretKeys: readonly string[] = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'apiKey',
  'api_key',
  'client_secret',
  'clientSecret',
  'client_assertion',
  'clientAssertion',
  'access_token',
  'accessToken',
  'refresh_token',
  'refreshToken',
  'id_token',
  'idToken',
  'assertion',
  'token',
  'secret',
  'password',
  'passwd',
  'privateKey',
  'private_key',
  'AZURE_CLIENT_SECRET',
  'INTAKE_API_KEYS',
  'CALLBACK_SECRET',
  'OTEL_EXPORTER_OTLP_HEADERS',
];

/**
 * Text without the credentials that have a form of their own: in a URL, after `Bearer`, in a body, a JWT.
 *
 * Callers choose the text, so each expression has to be linear: a run of characters is tried from its beginning alone
 * (the lookbehinds), and a JWT's other two parts are looked for before the place at which it begins.
 */
export function redactText(text: string): string {
  return (
    text
      .replace(/(:\/\/)[^\s/?#"'<>]*@/g, `$1${redacted}@`)
      .replace(/(Bearer)\s+[\w.~+/=-]{8,}/gi, `$1 ${redacted}`)
      .replace(
        /(client_secret|client_assertion|access_token|refresh_token|id_token|password)=[^&\s"'\\]+/gi,
        `$1=${redacted}`,
      )
      // The same as JSON, also where the JSON is itself inside a JSON string.
      .replace(
        /((?<!\\)\\*"(?:client_secret|client_assertion|access_token|refresh_token|id_token|password)\\*"\s*:\s*\\*")[^"\\]+/gi,
        `$1${redacted}`,
      )
      .replace(/(?<![\w-])(?=[\w-]+\.[\w-]+\.)([\w-]*?)eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, `$1${redacted}`)
  );
}

/**
 * A copy of a log record fit to be written: secrets taken out at every depth, errors reduced to what `describeError`
 * keeps. Objects of a class pass as they are; the logger's own paths deal with those.
 */
function redactRecord(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    // The error under `err` is left to its serializer, which would otherwise see a copy that is none.
    Object.entries(record).map(([key, value]) => [key, key === 'err' ? value : redactEntry(key, value, 0)]),
  );
}

/**
 * The fields of an error that may be logged: type, message, stack, codes, and the same of its cause. All else is
 * dropped, since libraries hang requests with their headers, configurations and failed commands with their
 * arguments on errors.
 */
function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: redactText(String(error)) };
  const fields: Record<string, unknown> = {
    type: error.name === 'Error' ? error.constructor.name : error.name,
    message: redactText(error.message),
    stack: redactText(error.stack ?? ''),
  };
  for (const key of ['code', 'errorCode', 'errorNo', 'status', 'statusCode', 'syscall', 'kind']) {
    const value: unknown = Reflect.get(error, key);
    if (typeof value === 'number') fields[key] = value;
    else if (typeof value === 'string') fields[key] = redactText(value);
  }
  const command = commandName(error);
  if (command) fields['command'] = command;
  if (depth < maxCauses && error.cause !== undefined) fields['cause'] = describeError(error.cause, depth + 1);
  if (depth < maxCauses && error instanceof AggregateError) {
    fields['errors'] = error.errors.slice(0, maxCauses).map((inner) => describeError(inner, depth + 1));
  }
  return fields;
}

const maxCauses = 5;
const maxDepth = 8;
const comparable = (key: string): string => key.toLowerCase().replaceAll(/[-_]/g, '');
const comparableSecretKeys: ReadonlySet<string> = new Set(secretKeys.map(comparable));

function redactEntry(key: string, value: unknown, depth: number): unknown {
  if (comparableSecretKeys.has(comparable(key)) && value !== undefined && value !== null) return redacted;
  return redactValue(value, depth);
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describeError(value);
  // Also ends the walk through an object that contains itself.
  if (depth >= maxDepth) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, redactEntry(key, inner, depth + 1)]),
  );
}

// ioredis: `error.command = { name, args }`; the arguments may hold what callers wrote.
function commandName(error: Error): string | undefined {
  const command: unknown = Reflect.get(error, 'command');
  if (typeof command !== 'object' || command === null) return undefined;
  const name: unknown = Reflect.get(command, 'name');
  return typeof name === 'string' ? name : undefined;
}
