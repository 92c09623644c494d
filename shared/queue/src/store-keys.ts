/** Name of the BullMQ queue; its keys are `<key space>:queue:…`. */
export const queueName = 'queue';

/** Name of the BullMQ queue of callbacks. */
export const callbackQueueName = 'callbacks';

export type StoreKeys = ReturnType<typeof namesIn>;

const known = new Map<string, StoreKeys>();

/**
 * The keys of requests, batches and tasks in one key space. The Lua files build the same names. A dozen parts of each queue have
 * them, so they are made once.
 */
export function storeKeys(keySpace: string): StoreKeys {
  const found = known.get(keySpace) ?? namesIn(keySpace);
  known.set(keySpace, found);
  return found;
}

function namesIn(keySpace: string) {
  return {
    /** String: the version of the layout that all these keys have; see `layout.ts`. */
    layout: `${keySpace}:layout`,
    /** Hash: status → how many open requests have it, or how many requests ever ended in it: deleting them lowers nothing; `saved:<reason>` → tasks that needed no slot. */
    counts: `${keySpace}:counts`,
    /** Hash: caller → number of its requests that are queued. */
    callerCounts: `${keySpace}:counts:callers`,
    /** Sorted set: source, empty for none → number of its requests that are queued. */
    sourceCounts: `${keySpace}:counts:sources`,
    /** Hash: begin of a step of 5 minutes (ms) → by how much the number of queued requests changed in it; see `lua/lib/queue-length.lua`. */
    lengths: `${keySpace}:counts:lengths`,
    /** Hash: caller → bytes that are stored of it; see `lua/lib/stored-bytes.lua`. */
    stored: `${keySpace}:stored`,
    /** Sorted set: task id → time (ms) of its first request, while it waits for its call. */
    waiting: `${keySpace}:waiting`,
    /** Sorted set: task id → its job priority, while it waits for its machine, which was asked for by name, to be known. */
    unresolved: `${keySpace}:unresolved`,
    /** Sorted set: task id → time (ms) at which its call began, until the outcome is stored. */
    inFlight: `${keySpace}:in_flight`,
    /** Sorted set: task id → time (ms) at which Defender is asked next what became of its call. */
    reconciling: `${keySpace}:reconciling`,
    /** Sorted set: task id → time (ms) at which Defender is read next for the end of its result. */
    results: `${keySpace}:results`,
    /** Sorted set: task id → time (ms) at which it was last seen that it waits for its turn on its machine, and not for a slot. */
    blocked: `${keySpace}:blocked`,
    /** Sorted set: caller, empty for none → time (ms) at which its blocked tasks were last looked at. */
    blockedCallers: `${keySpace}:blocked:callers`,
    /** Sorted set: the blocked tasks of this caller, and some that are not any more; see `lua/block.lua`. */
    blockedOf: (caller: string) => `${keySpace}:blocked:of:${caller}`,
    /** Sorted set: task id → time (ms) at which it was last seen that it is put behind others, since Defender gets no reports of its machine. */
    offline: `${keySpace}:offline`,
    /** Sorted set: task id → time (ms) at which it was put back although its machine is offline, until it is called. */
    offlineBack: `${keySpace}:offline:back`,
    /** Sorted set: task id → until when (ms) room is kept for its call among those that Defender runs at once. */
    starting: `${keySpace}:starting`,
    /** Sorted set: request id → its own deadline (ms), while it is queued. */
    deadlines: `${keySpace}:deadlines`,
    /** Hash: the virtual time of each class, how many tasks of it wait, and where the job priorities begin. */
    order: `${keySpace}:order`,
    /** Sorted set: caller → the virtual start at which its next task of this class is claimed at the earliest. */
    nextStarts: (priority: string) => `${keySpace}:starts:${priority}`,
    /** Sorted set: source of this caller → the virtual start that its next task of this class gets at the earliest. */
    sourceNextStarts: (priority: string, caller: string) => `${keySpace}:starts:${priority}:${caller}`,
    /** List: ids of requests, and `batch:<id>`, whose callback is due. */
    callbacksDue: `${keySpace}:callbacks:due`,
    /** Sorted set of score 0: `:<batch id>`, and `<digest><batch id>` for what it is found by; see `lua/lib/batch-index.lua`. */
    batches: `${keySpace}:batches`,
    /** Sorted set: `<batch id>:<digests>` of a complete batch → time (ms) at which it goes. */
    batchesEnded: `${keySpace}:batches:ended`,
    /** String: JSON of what was started last with this coalescing key, for a day. */
    machineRecent: (key: string) => `${keySpace}:machine:${key}:recent`,
    /** String: a task with this coalescing key, which ends in a place, was opened within the last minute; see `machine-order/`. */
    machinePlaced: (key: string) => `${keySpace}:machine:${key}:placed`,
    /** Sorted set, all of score 0, so ordered by id, which is by age: the requests that have this status. */
    listed: (status: string) => `${keySpace}:listed:${status}`,
    /** Sorted set of score 0: `<source>\0<request id>`. */
    bySource: `${keySpace}:listed-by:source`,
    /** Sorted set of score 0: `<outcome>:<request id>` of those whose result is followed, or was. */
    byOutcome: `${keySpace}:listed-by:outcome`,
    /** Sorted set of score 0: `<machine>:<request id>`, but for the first request of an open task that `machines` has under its machine. */
    byMachine: `${keySpace}:listed-by:machine`,
    /** Sorted set of score 0: `<digest><request id>` for each pair of a correlation, see `requests/correlation-digest.ts`. */
    byCorrelation: `${keySpace}:listed-by:correlation`,
    /** Sorted set: of a request that ended what it is found by → time (ms) at which it goes; see `lua/lib/indexes.lua`. */
    ended: `${keySpace}:ended`,
    /** Hash: who set the hold `paused`, why, since when and until when. */
    pause: `${keySpace}:pause`,
    /** Stream: who did what to queue and requests. */
    audit: `${keySpace}:audit`,
    /** String: written to see whether Redis takes writes. */
    writeProbe: `${keySpace}:write-probe`,
    /** Hash: one request. */
    request: (id: string) => `${keySpace}:request:${id}`,
    /** Hash: one task. */
    task: (id: string) => `${keySpace}:task:${id}`,
    /** Sorted set: requests that share the result of this task without its call → time (ms) of their arrival; until it has ended. */
    reused: (taskId: string) => `${keySpace}:task:${taskId}:reused`,
    /** Hash: coalescing key → its open task, which further requests join; see `admission/sharing.ts`. */
    machines: `${keySpace}:machines`,
    /** Set: ids of results that were reported to requests for this machine within the last minute. */
    machineReported: (id: string) => `${keySpace}:machine:${id}:reported`,
    /** Hash: a batch's own fields and its number of requests by status. */
    batch: (id: string) => `${keySpace}:batch:${id}`,
    /** List, in input order: a request id, or the JSON of a rejected item. */
    batchItems: (id: string) => `${keySpace}:batch:${id}:items`,
    /** Hash: one Idempotency-Key of one caller and route; `name` is a digest of the three. */
    idempotency: (name: string) => `${keySpace}:idempotency:${name}`,
    /** List: links that callers want, as questions in JSON; the one that stands the longest is last. */
    linksAsked: `${keySpace}:links:asked`,
    /** String: Defender's answer as JSON, empty until a worker has it; `command` is an index, or `package`. */
    linkAnswer: (action: string, command: string) => `${keySpace}:links:answer:${action}:${command}`,
    /** String: the request that a number stands for, which the front door gave in place of one of Defender's. */
    frontDoorNumber: (number: string) => `${keySpace}:front-door:number:${number}`,
    /** String: the request whose id the front door gives a caller for repeats that share a call with this request of another one. */
    frontDoorFirst: (sharedWith: string, caller: string) =>
      `${keySpace}:front-door:first:${sharedWith}:${caller}`,
    /** Set: repeats that were answered with the id of this request, or of one that was such a repeat itself. */
    frontDoorRepeats: (requestId: string) => `${keySpace}:front-door:repeats:${requestId}`,
    /** String: the request in whose set this repeat stands. */
    frontDoorRepeatOf: (requestId: string) => `${keySpace}:front-door:repeat-of:${requestId}`,
    /** BullMQ's own: the sorted set of the jobs in the order, and what the key of a job begins with. */
    jobOrder: `${keySpace}:${queueName}:prioritized`,
    jobs: `${keySpace}:${queueName}:`,
    /** Sorted set: `<caller>\0<attempt>:<bytes>:<requests>` → time (ms) at which room kept in the backlog for a batch is given up. */
    reservations: `${keySpace}:reservations`,
    /** Sorted set: the same, while an intake makes a job of it → time (ms) at which another one may. */
    callbacksMoving: `${keySpace}:callbacks:moving`,
  } as const;
}

/** The keys of a caller, which belong to no queue: it has one limit, and one sign-in, for all that it reaches. */
export function callerKeys(caller: string) {
  const keySpace = `diq:{caller/${caller}}`;
  return {
    /** String: requests of a caller in the present minute. */
    rate: `${keySpace}:rate`,
    /** Sorted set: digest of a session's secret and its API key, or of a person's whole token → time (ms) at which the session of this caller ends. */
    sessions: `${keySpace}:sessions`,
    /** The same of sessions that only look. */
    lookingSessions: `${keySpace}:sessions:looking`,
    /** The same of the tokens of the front door that were given out for an API key. */
    frontDoorTokens: `${keySpace}:front-door-tokens`,
  } as const;
}

/** The keys of a host that is called back, by whichever queue: in the key space that all callbacks share. */
export function callbackHostKeys(keySpace: string, host: string) {
  return {
    /** Sorted set: the calls made to a host within the last minute → their time (ms). */
    calls: `${keySpace}:callbacks:calls:${host}`,
    /** Sorted set: callback → time (ms) of its turn with a host that was called too often at the moment. */
    turns: `${keySpace}:callbacks:turns:${host}`,
    /** Hash: `last:`, `next:` and `called:<caller>` → times (ms) of the callbacks of a caller with this host. */
    callers: `${keySpace}:callbacks:callers:${host}`,
  } as const;
}

/** KEYS of the scripts behind `lua/lib/request-status.lua`, in its order. */
export function movingKeys(keySpace: string): string[] {
  const keys = storeKeys(keySpace);
  const { counts, waiting, inFlight, reconciling, deadlines, order, callbacksDue } = keys;
  return [counts, waiting, inFlight, reconciling, deadlines, order, callbacksDue];
}
