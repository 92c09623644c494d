import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import { describeError, redacted, redactRecord, redactText, secretKeys } from './redact.ts';

export { redactUrl } from './redact.ts';
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
  // Said outright, because pino's own choice flushes once more at exit, and that flush never ends when whoever read
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
