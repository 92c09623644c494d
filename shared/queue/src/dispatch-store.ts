import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { TerminalStatus } from '@diq/contracts/status.ts';
import { loadScript } from '@diq/quota/script.ts';
import { storeKeys } from './store-keys.ts';
import { parseStoredRequest } from './stored-request.ts';
import { repliesOf } from './ticket-queue.ts';

export type DispatchState = 'waiting' | 'sending' | 'settled';

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
}

/** What the requests of a dispatch are told when it is settled. */
export interface Settlement {
  status: TerminalStatus;
  investigationId?: string;
  error?: RequestError;
  /** Calls that were made for it. */
  attempts: number;
}

export type Moved =
  { moved: true } | { moved: false; state: DispatchState | 'missing'; callId: string | undefined };

/** The dispatches' own state. Every move is one script: dispatch, requests, batches, indexes and counts together. */
export interface DispatchStore {
  find(id: string): Promise<Dispatch | undefined>;
  /** The last gate before a call: from here on the dispatch is in the hands of this call alone. */
  begin(id: string, callId: string): Promise<Moved>;
  /** Back to its place: the call never left, was throttled or was not allowed. */
  giveBack(id: string, callId: string): Promise<Moved>;
  /** Stores the outcome of the call that began it. */
  settle(id: string, callId: string, settlement: Settlement): Promise<Moved>;
  /** Ends a dispatch that still waits, without a call. */
  endWaiting(id: string, settlement: Settlement): Promise<Moved>;
  /** Dispatches whose call began before this time and has no stored outcome, oldest first. */
  sendingSince(beforeMs: number, limit: number): Promise<string[]>;
  /** How many dispatches wait for their call, and a page of them, oldest first. */
  countWaiting(): Promise<number>;
  waitingPage(offset: number, limit: number): Promise<string[]>;
  /** Dispatches by id, for many at once; unknown ones are left out. */
  ranksOf(ids: readonly string[]): Promise<{ dispatchId: string; machineId: string; rank: number }[]>;
}

const script = loadScript(new URL('./lua/move-dispatch.lua', import.meta.url));
const moveReply = z.union([
  z.tuple([z.literal(1), z.number()]).transform((): Moved => ({ moved: true })),
  z
    .tuple([z.literal(0), z.enum(['waiting', 'sending', 'settled', 'missing']), z.string()])
    .transform(([, state, owner]): Moved => ({
      moved: false,
      state,
      callId: owner === '' ? undefined : owner,
    })),
]);

const storedDispatch = z.object({
  state: z.enum(['waiting', 'sending', 'settled']),
  machine: z.string(),
  first: z.string(),
  priority: z.coerce.number(),
  createdAt: z.coerce.number(),
  notAfter: z.coerce.number().optional(),
  call: z.string().optional(),
  sentAt: z.coerce.number().optional(),
});

export function createDispatchStore(redis: Redis, keySpace: string, retentionMs: number): DispatchStore {
  const keys = storeKeys(keySpace);

  async function move(
    id: string,
    callId: string,
    from: DispatchState,
    to: DispatchState,
    status: string,
    fields = {},
  ) {
    const args = [keySpace, id, callId, from, to, status, retentionMs, JSON.stringify(fields)];
    return moveReply.parse(await script(redis, [keys.counts, keys.waiting, keys.sending], args));
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
    giveBack: (id, callId) => move(id, callId, 'sending', 'waiting', 'queued'),
    settle: (id, callId, settlement) =>
      move(id, callId, 'sending', 'settled', settlement.status, fieldsOf(settlement)),
    endWaiting: (id, settlement) =>
      move(id, '', 'waiting', 'settled', settlement.status, fieldsOf(settlement)),
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
  };
}

function fieldsOf({ investigationId, error, attempts }: Settlement): Record<string, string | number> {
  return {
    attempts,
    ...(investigationId === undefined ? {} : { investigationId }),
    ...(error === undefined ? {} : { error: JSON.stringify(error) }),
  };
}
