import type { DiqError } from '@diq/client/diq-error.ts';
import type { Ending } from './exit-codes.ts';

/** Why a command ends early, in words for the terminal. Never holds a secret. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly ending: Ending;
  /** What stands below the message, a line each. */
  readonly lines: readonly string[];

  constructor(ending: Ending, message: string, lines: readonly string[] = []) {
    super(message);
    this.ending = ending;
    this.lines = lines;
  }
}

/** How a command ends that a call of it failed for. */
export function endingOf({ code, status }: DiqError): Ending {
  if (code === 'timed_out' && status === undefined) return 'unavailable';
  if (status === 401 || status === 403 || code === 'redirected') return 'access';
  if (status === 404) return 'notFound';
  if (status === 408 || status === 429 || status === undefined || status >= 500) return 'unavailable';
  return status >= 400 ? 'refused' : 'unavailable';
}

/** A failed call in words: what was wrong, with which fields, and where the log has more. */
export function describeDiqError(error: DiqError): CommandFailure {
  const lines = error.errors.map(({ path, message }) => `  ${path || 'the input'}: ${message}`);
  return new CommandFailure(endingOf(error), `${error.detail} (${error.code})`, [
    ...lines,
    `  HTTP request ${error.httpRequestId}, as in the log of the service`,
  ]);
}
