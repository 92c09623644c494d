import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

/** How long to look, and for what. */
export interface WaitForOptions {
  /** For the message: "the job to be completed". */
  readonly what: string;
  /** Default 20 s. */
  readonly timeoutMs?: number;
  /** Between two looks. Default 20 ms. */
  readonly intervalMs?: number;
}

type Truthy<T> = Exclude<T, false | 0 | 0n | '' | null | undefined>;

/**
 * Looks again and again until the probe gives something truthy, and returns that. For what sends no signal; where an
 * event can be awaited, await the event. A probe that throws is asked again.
 *
 * @throws Error naming what was waited for and the last value or failure seen.
 */
export async function waitFor<T>(probe: () => T | Promise<T>, options: WaitForOptions): Promise<Truthy<T>> {
  const { what, timeoutMs = 20_000, intervalMs = 20 } = options;
  const endMs = performance.now() + timeoutMs;
  let last = '';
  let cause: unknown;
  do {
    try {
      const value = await probe();
      if (value) return value as Truthy<T>;
      last = `the last look gave ${inspect(value)}`;
      cause = undefined;
    } catch (error) {
      last = `the last look failed: ${error instanceof Error ? error.message : inspect(error)}`;
      cause = error;
    }
    await delay(intervalMs);
  } while (performance.now() < endMs);
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}; ${last}`, { cause });
}
