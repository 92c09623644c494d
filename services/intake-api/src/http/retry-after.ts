import { isTerminal, type RequestStatus } from '@diq/contracts/status.ts';

/** Below this, polling would cost more than it tells. */
const shortestSeconds = 5;
/** Estimates change with every arrival and hold, so no caller is sent away for longer. */
const longestSeconds = 600;
/** Where no estimate could be had. */
const unknownSeconds = 60;

/** `Retry-After` in whole seconds for a caller that waits for something expected in so many milliseconds. */
export function retryAfterSeconds(expectedInMs: number | undefined): string {
  const seconds = expectedInMs === undefined ? unknownSeconds : Math.ceil(expectedInMs / 1_000);
  return String(Math.min(Math.max(seconds, shortestSeconds), longestSeconds));
}

/** The same for a request by its status; `undefined` once there is nothing more to come. */
export function pollAfterSeconds(status: RequestStatus, startsInMs: number | undefined): string | undefined {
  if (isTerminal(status)) return undefined;
  return retryAfterSeconds(status === 'queued' ? startsInMs : 0);
}
