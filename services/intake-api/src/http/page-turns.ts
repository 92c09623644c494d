/** Of each caller, the page that is made last of those asked for; a caller with none has no entry. */
const lastPages = new Map<string, Promise<void>>();

/**
 * Makes the pages of a caller one after the other. A page holds megabytes while it is made, and time of Redis and of this
 * process: many at once would keep the requests of other callers waiting until they fail. None is made for a client that has
 * left meanwhile.
 */
export async function inTurn(
  caller: string,
  response: { readonly destroyed: boolean },
  make: () => Promise<void>,
): Promise<void> {
  const before = lastPages.get(caller) ?? Promise.resolve();
  const made = before.then(() => (response.destroyed ? undefined : make()));
  const over = made.catch(() => undefined);
  lastPages.set(caller, over);
  try {
    await made;
  } finally {
    if (lastPages.get(caller) === over) lastPages.delete(caller);
  }
}
