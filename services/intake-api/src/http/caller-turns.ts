/** Of each caller, or kind of requests of it, what is done last of what was asked for; with nothing to do there is no entry. */
const lastOnes = new Map<string, Promise<unknown>>();

/**
 * Does what takes long for a caller one after the other: pages of lists, cancelling and deleting by filter, dry runs, large
 * batches and their answers given again. Each takes memory and time of this process, and time of Redis: many at once would
 * keep the requests of other callers waiting until they fail. Nothing is done for a client that has left meanwhile: then it
 * resolves with `undefined`.
 *
 * @param whose the caller; with a word behind it, where a kind of its requests is not to wait for all others
 */
export async function inTurn<Made>(
  whose: string,
  response: { readonly destroyed: boolean },
  make: () => Promise<Made>,
): Promise<Made | undefined> {
  const before = lastOnes.get(whose) ?? Promise.resolve();
  const made = before.then(() => (response.destroyed ? undefined : make()));
  const over = made.catch(() => undefined);
  lastOnes.set(whose, over);
  try {
    return await made;
  } finally {
    if (lastOnes.get(whose) === over) lastOnes.delete(whose);
  }
}
