import { NotReplicatedError } from '@diq/redis/replication.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { persistently } from '@diq/runtime/async/retry-until-aborted.ts';

export type PendingWrites = ReturnType<typeof createPendingWrites>;

/**
 * What only this process knows of its calls until Redis has it: an outcome, or that a call was never made. Each is written
 * again and again until it is stored.
 *
 * @param signal gives up
 * @param onFailure gets the error of each attempt in turn
 */
export function createPendingWrites(signal: AbortSignal, onFailure: (error: unknown) => void) {
  const pending = new Set<Write<unknown>>();

  return {
    /** @param act safe to repeat, and never run twice at a time  @throws its last error once `signal` is aborted */
    async untilStored<T>(act: () => Promise<T>): Promise<T> {
      const write = createWrite(act);
      pending.add(write);
      try {
        return await persistently(write.attempt, { signal, onFailure });
      } finally {
        pending.delete(write);
      }
    },
    /**
     * Attempts each of them now. To be called before this process declares that it knows nothing which the ledger lacks.
     *
     * @throws Error where Redis cannot take one now; what it refuses for another reason keeps nothing waiting
     */
    async attemptAll(): Promise<void> {
      await Promise.all([...pending].map(attemptNow));
    },
  };
}

type Write<T> = ReturnType<typeof createWrite<T>>;

/** One write, until it succeeded once. Callers share the attempt under way, and the result. */
function createWrite<T>(act: () => Promise<T>) {
  let attempted: Promise<T> | undefined;
  return {
    underWay: () => attempted,
    attempt(): Promise<T> {
      attempted ??= act().catch((error: unknown) => {
        attempted = undefined;
        throw error;
      });
      return attempted;
    },
  };
}

async function attemptNow({ underWay, attempt }: Write<unknown>): Promise<void> {
  // One that began earlier may have written to a server that is lost by now.
  await underWay()?.catch(() => undefined);
  try {
    await attempt();
  } catch (error) {
    // Written, on too few servers.
    if (error instanceof NotReplicatedError) return;
    if (isRedisTrouble(error)) throw error;
  }
}
