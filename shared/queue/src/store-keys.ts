/** Name of the BullMQ queue; its keys are `<key space>:queue:…`. */
export const queueName = 'queue';

/** The keys of requests, batches and dispatches in one key space. The Lua files build the same names. */
export function storeKeys(keySpace: string) {
  return {
    /** Hash: status → number of requests that have it now. */
    counts: `${keySpace}:counts`,
    /** Sorted set: dispatch id → time (ms) of its first request, while it waits for its call. */
    waiting: `${keySpace}:waiting`,
    /** Sorted set: dispatch id → time (ms) at which its call began, until the outcome is stored. */
    sending: `${keySpace}:sending`,
    /** Sorted set: dispatch id → time (ms) at which Defender is asked next what became of its call. */
    reconciling: `${keySpace}:reconciling`,
    /** Hash: one request. */
    request: (id: string) => `${keySpace}:request:${id}`,
    /** Hash: one dispatch. */
    dispatch: (id: string) => `${keySpace}:dispatch:${id}`,
    /** Hash: a batch's own fields and its number of requests by status. */
    batch: (id: string) => `${keySpace}:batch:${id}`,
    /** List, in input order: a request id, or the JSON of a rejected item. */
    batchItems: (id: string) => `${keySpace}:batch:${id}:items`,
  } as const;
}
