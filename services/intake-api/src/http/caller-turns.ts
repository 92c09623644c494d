import { ProblemError } from './problem-error.ts';

/** Of each caller, or kind of requests of it, what is done last of what was asked for; with nothing to do there is no entry. */
const lastOnes = new Map<string, Promise<unknown>>();

/**
 * Does what takes long for a caller one after the other: pages of lists, cancelling and deleting by filter, dry runs, large
 * batches and their answers given again. Each takes memory and time of this process, and time of Redis: many at once would
 * keep the requests of other callers waiting until they fail.
 *
 * @param whose the caller; with a word behind it, where a kind of its requests is not to wait for all others
 * @throws ProblemError for a client that has left meanwhile: nothing is done for it. It is answered all the same, since an answer
 * lets its body go and makes its Idempotency-Key free again
 */
export async function inTurn<Made>(
  whose: string,
  response: { readonly destroyed: boolean },
  make: () => Promise<Made>,
): Promise<Made> {
  const before = lastOnes.get(whose) ?? Promise.resolve();
  const made = before.then(() => {
    if (response.destroyed) throw new ProblemError('intake_busy', { detail: leftMeanwhile });
    return make();
  });
  const over = made.catch(() => undefined);
  lastOnes.set(whose, over);
  try {
    return await made;
  } finally {
    if (lastOnes.get(whose) === over) lastOnes.delete(whose);
  }
}

const leftMeanwhile = 'The client left before the request was taken up; nothing of it was kept.';
