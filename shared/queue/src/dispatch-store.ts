import type { Redis } from 'ioredis';
import { z } from 'zod';
import { requestError } from '@diq/contracts/request-document.ts';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { TerminalStatus } from '@diq/contracts/status.ts';
import { loadScript } from '@diq/quota/script.ts';
import { storeKeys } from './store-keys.ts';
import { parseStoredRequest } from './stored-request.ts';
import { repliesOf } from './ticket-queue.ts';

const dispatchStates = ['waiting', 'sending', 'reconciling', 'settled'] as const;

export type DispatchState = (typeof dispatchStates)[number];

/**
 * Why it is not known what a call came to: its answer was `lost`, it `failed` by an answer that leaves open what was
 * done, or an investigation is `running` already that nobody named.
 */
export const doubtCauses = ['lost', 'failed', 'running'] as const;

export interface Doubt {
  cause: (typeof doubtCauses)[number];
  /** What the requests are told while Defender is being asked. */
  error: RequestError;
}

/** One intended Defender call, with what its first requester asked. */
export interface Dispatch {
  id: string;
  state: DispatchState;
  machineId: string;
  comment: string;
  /** When its first request arrived. */
  createdAtMs: number;
  rank: number;
  /** No call after this time; only when every request has a deadline. */
  notAfterMs: number | undefined;
  /** The call it is, or was last, in the hands of. */
  callId: string | undefined;
  sentAtMs: number | undefined;
  /** Calls made for it so far whose outcome is known or looked up. */
  calls: number;
  /** What is being looked up, while it is. */
  doubt: Doubt | undefined;
}

/** What the requests of a dispatch are told when it is settled. */
export interface Settlement {
  status: TerminalStatus;
  investigationId?: string;
  /** The investigation covers the machine, but is not provably the one that was asked for. */
  attached?: boolean;
  error?: RequestError;
  /** Calls that end with this; those made for it before are added. Without effect where the call was looked up. */
  attempts: number;
}

export type Moved =
  { moved: true } | { moved: false; state: DispatchState | 'missing'; callId: string | undefined };

/** The dispatches' own state. Every move is one script: dispatch, requests, batches, indexes and counts together. */
export interface DispatchStore {
  find(id: string): Promise<Dispatch | undefined>;
  /** The last gate before a call: from here on the dispatch is in the hands of this call alone. */
  begin(id: string, callId: string): Promise<Moved>;
  /** Back to its place: the call never left, was throttled or not allowed, or was looked up and is to be made again. */
  giveBack(id: string, callId: string): Promise<Moved>;
  /** What the call came to is to be looked up in Defender, for the first time after so many ms. */
  reconcile(id: string, callId: string, doubt: Doubt, firstLookInMs: number): Promise<Moved>;
  /** Stores the outcome of the call that began it, also while it is being looked up. */
  settle(id: string, callId: string, settlement: Settlement): Promise<Moved>;
  /** Ends a dispatch that still waits, without a call. */
  endWaiting(id: string, settlement: Settlement): Promise<Moved>;
  /** Dispatches whose call began before this time and has no stored outcome, oldest first. */
  sendingSince(beforeMs: number, limit: number): Promise<string[]>;
  /** The dispatch whose next look is due for the longest, for the caller alone for so long. Time of Redis' clock. */
  takeDue(forMs: number): Promise<{ id: string | undefined; nowMs: number }>;
  /** When Defender is asked next, on Redis' clock; false when this call is not looked up any more. */
  lookAgain(id: string, callId: string, atMs: number): Promise<boolean>;
  /** How many dispatches wait for their call, and a page of them, oldest first. */
  countWaiting(): Promise<number>;
  waitingPage(offset: number, limit: number): Promise<string[]>;
  /** Dispatches by id, for many at once; unknown ones are left out. */
  ranksOf(ids: readonly string[]): Promise<{ dispatchId: string; machineId: string; rank: number }[]>;
}

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const moveScript = loadScript(scriptFile('move-dispatch'));
const takeScript = loadScript(scriptFile('take-reconciling'));
const lookAgainScript = loadScript(scriptFile('look-again'));
const moveReply = z.union([
  z.tuple([z.literal(1), z.number()]).transform((): Moved => ({ moved: true })),
  z
    .tuple([z.literal(0), z.enum([...dispatchStates, 'missing']), z.string()])
    .transform(([, state, owner]): Moved => ({
      moved: false,
      state,
      callId: owner === '' ? undefined : owner,
    })),
]);

const takeReply = z.tuple([z.string(), z.number()]);

const storedDispatch = z.object({
  state: z.enum(dispatchStates),
  machine: z.string(),
  first: z.string(),
  priority: z.coerce.number(),
  createdAt: z.coerce.number(),
  notAfter: z.coerce.number().optional(),
  call: z.string().optional(),
  sentAt: z.coerce.number().optional(),
  calls: z.coerce.number().default(0),
  cause: z.enum(doubtCauses).optional(),
  error: z.string().optional(),
});

/** What a move brings along. */
interface Move {
  /** For each of the requests. */
  fields?: Record<string, string | number>;
  /** Calls that it counts. */
  calls?: number;
  cause?: Doubt['cause'];
  firstLookInMs?: number;
}

const inHand = 'sending|reconciling';

export function createDispatchStore(redis: Redis, keySpace: string, retentionMs: number): DispatchStore {
  const keys = storeKeys(keySpace);
  const moveKeys = [keys.counts, keys.waiting, keys.sending, keys.reconciling];

  async function move(
    id: string,
    callId: string,
    from: DispatchState | typeof inHand,
    to: DispatchState,
    status: string,
    { fields = {}, calls = 0, cause, firstLookInMs = 0 }: Move = {},
  ) {
    const about = [JSON.stringify(fields), calls, cause ?? '', firstLookInMs];
    const args = [keySpace, id, callId, from, to, status, retentionMs, ...about];
    return moveReply.parse(await moveScript(redis, moveKeys, args));
  }

  return {
    async find(id) {
      const hash = await redis.hgetall(keys.dispatch(id));
      if (hash['state'] === undefined) return undefined;
      const stored = storedDispatch.parse(hash);
      const first = parseStoredRequest(stored.first, await redis.hgetall(keys.request(stored.first)));
      return first && toDispatch(id, stored, first.document.comment);
    },
    begin: (id, callId) => move(id, callId, 'waiting', 'sending', 'dispatching'),
    giveBack: (id, callId) => move(id, callId, inHand, 'waiting', 'queued'),
    reconcile: (id, callId, { cause, error }, firstLookInMs) =>
      move(id, callId, 'sending', 'reconciling', 'dispatching', {
        fields: { error: JSON.stringify(error) },
        calls: 1,
        cause,
        firstLookInMs,
      }),
    settle: (id, callId, settlement) =>
      move(id, callId, inHand, 'settled', settlement.status, contentOf(settlement)),
    endWaiting: (id, settlement) =>
      move(id, '', 'waiting', 'settled', settlement.status, contentOf(settlement)),
    async takeDue(forMs) {
      const [id, nowMs] = takeReply.parse(await takeScript(redis, [keys.reconciling], [keySpace, forMs]));
      return { id: id === '' ? undefined : id, nowMs };
    },
    lookAgain: async (id, callId, atMs) =>
      (await lookAgainScript(redis, [keys.reconciling], [keySpace, id, callId, Math.ceil(atMs)])) === 1,
    sendingSince: (beforeMs, limit) =>
      redis.zrangebyscore(keys.sending, '-inf', `(${beforeMs}`, 'LIMIT', 0, limit),
    countWaiting: () => redis.zcard(keys.waiting),
    waitingPage: (offset, limit) => redis.zrange(keys.waiting, offset, String(offset + limit - 1)),
    async ranksOf(ids) {
      const pipeline = redis.pipeline();
      for (const id of ids) pipeline.hmget(keys.dispatch(id), 'machine', 'priority');
      const rows = z
        .array(z.tuple([z.string().nullable(), z.string().nullable()]))
        .parse(await repliesOf(pipeline));
      return rows.flatMap(([machineId, rank], i) =>
        machineId === null ? [] : [{ dispatchId: ids[i] ?? '', machineId, rank: Number(rank) }],
      );
    },
  };
}

function toDispatch(id: string, stored: z.output<typeof storedDispatch>, comment: string): Dispatch {
  return {
    id,
    state: stored.state,
    machineId: stored.machine,
    comment,
    createdAtMs: stored.createdAt,
    rank: stored.priority,
    notAfterMs: stored.notAfter,
    callId: stored.call === '' ? undefined : stored.call,
    sentAtMs: stored.sentAt,
    calls: stored.calls,
    doubt:
      stored.cause === undefined || stored.error === undefined
        ? undefined
        : { cause: stored.cause, error: requestErrorOf(stored.error) },
  };
}

function requestErrorOf(json: string): RequestError {
  return requestError.parse(JSON.parse(json));
}

function contentOf({ investigationId, attached, error, attempts }: Settlement): Move {
  return {
    calls: attempts,
    fields: {
      ...(investigationId === undefined ? {} : { investigationId }),
      ...(attached === true ? { attached: 1 } : {}),
      ...(error === undefined ? {} : { error: JSON.stringify(error) }),
    },
  };
}
