import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { endOutcomes, type EndOutcome, type UnknownReason } from '@diq/contracts/result-outcome.ts';
import { clip } from '@diq/contracts/text.ts';
import { loadScript } from '@diq/redis/script.ts';
import { movingKeys, storeKeys } from '../store-keys.ts';

/** A result that is followed. Times are milliseconds of Redis' clock. */
export interface OpenResult {
  taskId: string;
  /** Defender's. */
  id: string;
  machineId: string;
  /** When its call was made; one that ran before (`attached`) began earlier. */
  calledAtMs: number;
  /** When it began, as Defender shows it. */
  startedAtMs: number | undefined;
  attached: boolean;
  /** Defender's own word for its state when it was read last. */
  state: string | undefined;
  /** Until when it is followed. */
  untilMs: number;
  /** Of its requests, for the log. */
  requestId: string | undefined;
  /** It has ended; what is left are requests that shared it later. */
  outcome: EndOutcome | undefined;
}

/** What a read showed of a result that has not ended. */
export interface ResultNote {
  taskId: string;
  nextReadAtMs: number;
  /** `undefined` where Defender was not read for it, or did not show it. */
  seen: { state: string; startedAtMs: number | undefined } | undefined;
  /** Whether Defender was read for it. */
  wasRead: boolean;
}

export interface ResultEnd {
  outcome: EndOutcome;
  state?: string | undefined;
  startedAtMs?: number | undefined;
  endedAtMs?: number | undefined;
  /** Where the outcome is `unknown`. */
  why?: UnknownReason | undefined;
  wasRead: boolean;
}

const resultScript = (name: string) =>
  loadScript(new URL(`../lua/${name}.lua`, import.meta.url), { whenFull: true });
const dueScript = resultScript('due-results');
const noteScript = resultScript('note-results');
const endScript = resultScript('end-result');

const dueReply = z.tuple([z.number()]).rest(z.string());
const endReply = z.tuple([z.number(), z.number(), z.number()]);
const outcome = z.enum(endOutcomes).optional().catch(undefined);

/** Fields of each result in the reply of `due-results.lua`. */
const fieldsPerResult = 10;
/** Results per script: some milliseconds of Redis' time. */
const chunkSize = 250;
/** Defender's longest state has 22 characters; longer fields would cost Redis more room. */
const maxStateLength = 60;

export type ResultStore = ReturnType<typeof createResultStore>;

/**
 * The results of one queue that are followed, from the start of each until its observed end. A result that was started enters
 * with the move of its task (`task-store.ts`); it leaves by `end`, once, whichever worker saw its end.
 */
export function createResultStore(redis: RedisConnection, keySpace: string, retentionMs: number) {
  const keys = storeKeys(keySpace);
  const endKeys = movingKeys(keySpace);

  return {
    /** How many results have no observed end: what runs at Defender, as far as it is known. */
    countOpen: (): Promise<number> => redis.zcard(keys.results),
    /** When the next read is due, by Redis' clock; `undefined` where no result is open. */
    async nextReadAtMs(): Promise<number | undefined> {
      const [, atMs] = await redis.zrange(keys.results, 0, '0', 'WITHSCORES');
      return atMs === undefined ? undefined : Number(atMs);
    },
    /** Those whose next read is due within so many ms, those that are due for the longest first. */
    async due(withinMs: number, most: number): Promise<{ nowMs: number; results: OpenResult[] }> {
      const [nowMs, ...values] = dueReply.parse(
        await dueScript(redis, [keys.results], [keySpace, withinMs, most]),
      );
      const results: OpenResult[] = [];
      for (let i = 0; i < values.length; i += fieldsPerResult)
        results.push(openResult(values.slice(i, i + fieldsPerResult)));
      return { nowMs, results };
    },
    /** Stores what was seen of results that run, and when each is read next. One that has ended meanwhile stays as it is. */
    async note(notes: readonly ResultNote[]): Promise<void> {
      for (let i = 0; i < notes.length; i += chunkSize) {
        const args = notes
          .slice(i, i + chunkSize)
          .flatMap(({ taskId, nextReadAtMs, wasRead, seen }) => [
            taskId,
            Math.ceil(nextReadAtMs),
            wasRead ? 1 : '',
            clip(seen?.state ?? '', maxStateLength),
            seen?.startedAtMs ?? '',
          ]);
        await noteScript(redis, [keys.results], [keySpace, ...args]);
      }
    },
    /**
     * Stores the observed end of a result, for all requests that share it, with what their batches count and the callbacks that
     * are due. Repeated it changes nothing.
     *
     * @returns whether it ended by this, and how many requests with it
     */
    async end(taskId: string, end: ResultEnd): Promise<{ ended: boolean; requests: number }> {
      const { state = '', startedAtMs = '', endedAtMs = '', why = '', wasRead } = end;
      const times = [startedAtMs, endedAtMs];
      const what = [end.outcome, clip(state, maxStateLength), ...times, why, wasRead ? 1 : '', chunkSize];
      const total = { ended: false, requests: 0 };
      for (;;) {
        const reply = await endScript(redis, endKeys, [keySpace, retentionMs, taskId, ...what]);
        const [ended, requests, left] = endReply.parse(reply);
        total.ended ||= ended === 1;
        total.requests += requests;
        if (left === 0) return total;
      }
    },
  };
}

function openResult(values: readonly string[]): OpenResult {
  const [taskId = '', id = '', machineId = '', calledAt, until, startedAt, state, attached, first, ended] =
    values;
  return {
    taskId,
    id,
    machineId,
    calledAtMs: Number(calledAt),
    startedAtMs: startedAt === '' ? undefined : Number(startedAt),
    attached: attached === '1',
    state: state === '' ? undefined : state,
    untilMs: Number(until),
    requestId: first === '' ? undefined : first,
    outcome: outcome.parse(ended),
  };
}
