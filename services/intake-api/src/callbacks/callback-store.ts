import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { isTerminal } from '@diq/contracts/status.ts';
import type { RequestReader } from '@diq/queue/requests/request-reader.ts';
import { callbackHostKeys, storeKeys } from '@diq/queue/store-keys.ts';
import type { DeliveryRecord, StoredCallback } from '@diq/queue/requests/stored-callback.ts';
import { loadScript } from '@diq/redis/script.ts';
import { describeBatch } from '../views/batch-view.ts';
import type { CallbackTarget } from './callback-queue.ts';

/** What there is to tell, and to whom. */
export interface CallbackNews extends StoredCallback {
  type: string;
  /** The request or batch as it can be read, but for its callback and the request whose call it shares. */
  data: object;
  /** Whose callback it is. */
  caller?: string | undefined;
}

interface TakenCallbacks {
  entries: readonly string[];
  /** Tells `endMove` that they are still the ones that were taken. */
  untilMs: number;
}

const script = (name: string) => loadScript(new URL(`./lua/${name}.lua`, import.meta.url));
const takeDueScript = script('take-due');
const endMoveScript = script('end-move');
const takeTurnScript = script('take-turn');
const recordScript = loadScript(new URL('./lua/record-delivery.lua', import.meta.url), { whenFull: true });

const taken = z.tuple([z.number()]).rest(z.string());

export type CallbackStore = ReturnType<typeof createCallbackStore>;

/** A queue, some of whose requests and batches have callbacks. */
export interface CallbackSource {
  keySpace: string;
  reader: Reader;
}

/** The queue of a target is not known here: another intake, or this one later, delivers it. */
export class UnknownSourceError extends Error {
  override readonly name = 'UnknownSourceError';
}

/** Callbacks in Redis: what is due, what there is to tell, what became of it, and how often a host was called. */
export function createCallbackStore(options: {
  redis: RedisConnection;
  /** Of what is common to all queues. */
  keySpace: string;
  /** The queue of a request or a batch. */
  sourceOf: (id: string) => CallbackSource | undefined;
  /** Calls to one host in any rolling window, over all intakes. */
  rate: { limit: number; windowMs: number };
}) {
  const { redis, keySpace, rate } = options;

  function sourceOf(id: string): CallbackSource {
    const source = options.sourceOf(id);
    if (source) return source;
    throw new UnknownSourceError('the queue of this callback is not known to this intake');
  }

  return {
    /** Entries of a queue's list of what is due, for the caller alone for so long. */
    async takeDue(source: CallbackSource, limit: number, forMs: number): Promise<TakenCallbacks> {
      const keys = storeKeys(source.keySpace);
      const dueKeys = [keys.callbacksDue, keys.callbacksMoving];
      const [untilMs, ...entries] = taken.parse(await takeDueScript(redis, dueKeys, [limit, forMs]));
      return { entries, untilMs };
    },
    async endMove(source: CallbackSource, { entries, untilMs }: TakenCallbacks): Promise<void> {
      await endMoveScript(redis, [storeKeys(source.keySpace).callbacksMoving], [untilMs, ...entries]);
    },
    /** Entries that have no job yet. */
    async countDue(source: CallbackSource): Promise<number> {
      const keys = storeKeys(source.keySpace);
      const [due, moving] = await Promise.all([
        redis.llen(keys.callbacksDue),
        redis.zcard(keys.callbacksMoving),
      ]);
      return due + moving;
    },
    /** `undefined` when there is nothing to deliver: not ended, gone, or without a callback URL. */
    async findNews({ kind, id }: CallbackTarget): Promise<CallbackNews | undefined> {
      const { reader } = sourceOf(id);
      if (kind === 'request') return await newsOfRequest(reader, id);
      if (kind === 'request_ended') return await newsOfResult(reader, id);
      return await (kind === 'batch' ? newsOfBatch(reader, id) : newsOfEndedBatch(reader, id));
    },
    async record({ kind, id }: CallbackTarget, delivery: DeliveryRecord): Promise<void> {
      const keys = storeKeys(sourceOf(id).keySpace);
      const isOfRequest = kind === 'request' || kind === 'request_ended';
      const isOfEnd = kind === 'request_ended' || kind === 'batch_ended';
      const field = isOfEnd ? 'endDelivery' : 'delivery';
      await recordScript(
        redis,
        [isOfRequest ? keys.request(id) : keys.batch(id)],
        [JSON.stringify(delivery), field],
      );
    },
    /**
     * 0: the host may be called now, once, and this counts. Else the ms until this callback's turn. With `busyMs` it waits
     * so long even if it could go now. Callers take turns.
     */
    async takeTurn(host: string, callback: string, busyMs: number, caller = ''): Promise<number> {
      const { calls, turns, callers } = callbackHostKeys(keySpace, host);
      const hostKeys = [calls, turns, callers];
      const about = [callback, rate.limit, rate.windowMs, busyMs, caller];
      return z.number().parse(await takeTurnScript(redis, hostKeys, about));
    },
  };
}

type Reader = Pick<RequestReader, 'findRequest' | 'findBatch'>;

async function newsOfRequest(reader: Reader, id: string): Promise<CallbackNews | undefined> {
  const stored = await reader.findRequest(id);
  if (!stored?.callback || !isTerminal(stored.document.status)) return undefined;
  // Who gets it may have nothing to do with the other caller's request.
  const { callback: _, endCallback: __, coalescedWith: ___, ...data } = stored.document;
  return { ...stored.callback, type: `request.${data.status}`, data, caller: stored.caller };
}

/** The end of what the call started; the status came before, in news of its own. */
async function newsOfResult(reader: Reader, id: string): Promise<CallbackNews | undefined> {
  const stored = await reader.findRequest(id);
  const outcome = stored?.document.result?.outcome;
  if (!stored?.callback || outcome === undefined || outcome === 'running') return undefined;
  const { callback: _, endCallback: __, coalescedWith: ___, ...data } = stored.document;
  const { url, endDelivery } = stored.callback;
  return { url, about: 'ended', delivery: endDelivery, type: 'request.ended', data, caller: stored.caller };
}

async function newsOfEndedBatch(reader: Reader, id: string): Promise<CallbackNews | undefined> {
  const batch = await reader.findBatch(id);
  if (!batch?.callback || batch.endedAtMs === undefined) return undefined;
  const { callback: _, endCallback: __, ...data } = describeBatch(batch, undefined);
  const { url, endDelivery } = batch.callback;
  return { url, about: 'ended', delivery: endDelivery, type: 'batch.ended', data, caller: batch.caller };
}

async function newsOfBatch(reader: Reader, id: string): Promise<CallbackNews | undefined> {
  const batch = await reader.findBatch(id);
  if (!batch?.callback || !batch.isComplete) return undefined;
  const { callback: _, endCallback: __, ...data } = describeBatch(batch, undefined);
  return { ...batch.callback, type: 'batch.completed', data, caller: batch.caller };
}
