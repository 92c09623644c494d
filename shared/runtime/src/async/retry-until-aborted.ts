import { setTimeout as wait } from 'node:timers/promises';

const firstWaitMs = 50;
const longestWaitMs = 1_000;

/**
 * Does something that must not be left undone, again and again until it works: what a call answered is known only
 * here until it is stored. `act` must be safe to repeat.
 *
 * @param signal ends the trying
 * @throws the last error once `signal` is aborted
 */
export async function persistently<T>(
  act: () => Promise<T>,
  { signal, onFailure }: { signal: AbortSignal; onFailure: (error: unknown) => void },
): Promise<T> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      return await act();
    } catch (error) {
      onFailure(error);
      if (signal.aborted) throw error;
      await wait(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
