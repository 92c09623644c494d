import { LayoutError } from '@diq/queue/layout.ts';
import type { WakeReason } from '@diq/queue/scheduling/wakes.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { IdleQueue, IdleQueues } from './idle-queues.ts';
import type { Look, LookScheduler } from './look-scheduler.ts';
import type { AfterLook } from './queue-looks.ts';

/** A queue as it is served once it is open; see `createQueueLooks`. */
export interface OpenedQueue {
  look(): Promise<AfterLook>;
  /** In place of a look while the queue rests: reads what became of results. */
  follow(): Promise<AfterLook>;
  reconnected(): void;
  /** For how long, in ms, no call is possible, however much work there is; Infinity until the end of a job. */
  blockedForMs(): number;
  /** Another worker made a call, or one of its calls is over. */
  othersCalled(): void;
  /** The last call was another worker's: its next one goes first. */
  yieldsMs(): number;
  stalledForMs(): number;
  /** It tries to end a cold start, which it would not begin again once it was let go. */
  isRebuilding(): boolean;
  /**
   * Lets go of everything but what it knows of calls. Only where nothing is left to be done: what is under way, such as a read of Defender,
   * ends by itself, and no request waits for it.
   */
  letGo(): LetGoQueue;
  close(): Promise<void>;
}

/** A queue that was open, and is opened with what it knew then. */
export interface LetGoQueue {
  /** As `ServedQueueOptions.open`. */
  open(): Promise<OpenedQueue>;
  /** Instead of opening it once more; waits for what is under way. Never rejects. */
  leave(): Promise<void>;
}

export interface ServedQueueOptions {
  /** For readiness and log. */
  name: string;
  scheduler: LookScheduler;
  idle: IdleQueues;
  /** @throws LayoutError  @throws Error while Redis cannot serve */
  open(): Promise<OpenedQueue>;
  logger: Logger;
  /** For all queues of the process: thousands of them fail together. */
  outages: { failed(error: unknown): void };
  /** Redis holds the data of another version. */
  onForeign?(error: LayoutError): void;
}

export type ServedQueue = ReturnType<typeof createServedQueue>;

/** How soon a call of another worker is read, if no further one follows; and how soon also then. */
const readSoonMs = 500;
const readWithinMs = 1_000;
/** Wakes and ends of calls close to each other are one look. */
const betweenWakesMs = 20;
const firstPauseMs = 500;
const longestPauseMs = 2_000;
const longestClosedPauseMs = 10_000;
const lastLookMs = 2_000;
const refusedForMs = 60_000;

/**
 * A queue that this process serves, from the first sign of work on: it is opened when there is something to be done, looked at
 * for as long as there is, and then left alone but for the sweep over all queues.
 *
 * `closed`: not opened yet. → `open` by a wake, or a sweep that finds work.
 * `open`: each look says when the next one is due. → `resting` when nothing is left to be done.
 * `resting`: → `open` by a wake, a sweep that finds work, or a new connection to Redis. → `let go` where too many queues rest.
 * `let go`: keeps what it knows of calls, which Redis may lose. → `open` as from `resting`.
 */
export function createServedQueue(options: ServedQueueOptions) {
  const { name, scheduler, idle, logger, outages } = options;
  let opened: OpenedQueue | undefined;
  let letGo: LetGoQueue | undefined;
  let opening: Promise<OpenedQueue | undefined> | undefined;
  let isResting = true;
  let isTooMany = false;
  let awaitsResult = false;
  let isWoken = false;
  let unreadSinceMs: number | undefined;
  let failures = 0;
  let lastLookAtMs = 0;
  let lastEndMs = -Infinity;
  let refusal: string | undefined;
  let isStopped = false;

  async function look(): Promise<number | undefined> {
    if (isStopped) return undefined;
    const wasWoken = isWoken;
    isWoken = false;
    unreadSinceMs = undefined;
    try {
      return await lookOnce(wasWoken);
    } catch (error) {
      isWoken = true;
      return await afterFailure(error);
    } finally {
      lastEndMs = performance.now();
    }
  }

  function succeeded(waitMs: number): number {
    failures = 0;
    refusal = undefined;
    lastLookAtMs = Date.now();
    return waitMs;
  }

  function open(): Promise<OpenedQueue | undefined> {
    opening ??= openOnce().finally(() => (opening = undefined));
    return opening;
  }

  /** @returns `undefined` where it was stopped meanwhile: Redis can take longer than a stop waits */
  async function openOnce(): Promise<OpenedQueue | undefined> {
    const queue = await (letGo ?? options).open();
    letGo = undefined;
    if (isStopped) await queue.close();
    else opened = queue;
    return opened;
  }

  async function lookOnce(wasWoken: boolean): Promise<number> {
    const queue = opened ?? (await open());
    if (!queue || isStopped) return Infinity;
    if (isResting && isTooMany && !wasWoken) {
      [opened, letGo] = [undefined, queue.letGo()];
      return Infinity;
    }
    idle.remove(entryOfIdle);
    isTooMany = false;
    const isAtRest = isResting && awaitsResult && !wasWoken;
    if (!isAtRest) [isResting, awaitsResult] = [false, false];
    const after = await (isAtRest ? queue.follow() : queue.look());
    isResting = after.kind === 'rest';
    if (after.kind === 'rest') {
      awaitsResult = after.dueMs !== undefined;
      if (!awaitsResult && !queue.isRebuilding() && !isStopped) idle.add(entryOfIdle);
      return succeeded(after.dueMs ?? Infinity);
    }
    return after.kind === 'failed' ? untilNextTry(after.waitMs) : succeeded(after.waitMs);
  }

  async function afterFailure(error: unknown): Promise<number> {
    if (error instanceof LayoutError) {
      if (refusal !== error.message) logger.error({ err: error }, 'queue not served');
      refusal = error.message;
      options.onForeign?.(error);
      const closing = opened;
      [opened, letGo] = [undefined, undefined];
      await closing?.close();
      return refusedForMs;
    }
    if (isRedisTrouble(error)) outages.failed(error);
    else logger.error({ err: error }, 'look at the queue failed');
    return untilNextTry(firstPauseMs);
  }

  function untilNextTry(firstMs: number): number {
    failures += 1;
    return Math.min(
      firstMs * 2 ** Math.min(failures - 1, 10),
      // What it knows of calls is missing in a Redis that failed over, until it can be read again.
      hasLedger() ? longestPauseMs : longestClosedPauseMs,
    );
  }

  const entry: Look = scheduler.add({ look }, Infinity);
  const entryOfIdle: IdleQueue = {
    letGo() {
      isTooMany = true;
      entry.within(0);
    },
  };
  const soonMs = (): number => Math.max(0, lastEndMs + betweenWakesMs - performance.now());

  /** It is or was open, and is known to have a ledger. */
  const hasLedger = (): boolean => opened !== undefined || letGo !== undefined;

  /**
   * What the last look saw is out of date: the slot for which the next one is due may be taken. While the other worker goes on
   * calling, this one only reads along.
   */
  function othersCalled(): void {
    if (!hasLedger()) return;
    opened?.othersCalled();
    isWoken = true;
    const nowMs = performance.now();
    unreadSinceMs ??= nowMs;
    entry.after(Math.max(0, Math.min(readSoonMs, unreadSinceMs + readWithinMs - nowMs)));
  }

  return {
    name,
    /** Opens it whether there is work or not, as a start does. @throws as `open` */
    async open(): Promise<void> {
      if (!opened) await open();
      isResting = false;
      entry.within(0);
    },
    hasLedger,
    /** It rests until the next read of a result is due. */
    awaitsResult: () => awaitsResult,
    wake(reason: WakeReason): void {
      if (reason === 'call') return othersCalled();
      isWoken = true;
      if (reason === 'free') return entry.within(soonMs());
      // Work that comes before the slot is looked at when that opens: the look that is due may be seconds later.
      const blockedMs = isResting ? 0 : (opened?.blockedForMs() ?? 0);
      entry.within(Math.max(soonMs(), blockedMs) + (opened?.yieldsMs() ?? 0));
    },
    missedWakes(withinMs: number): void {
      if (!isResting) entry.within(withinMs);
    },
    /** A job was processed. */
    again: () => entry.within(soonMs()),
    /** The connection to Redis is a new one: what is open has to be looked at, the rest is swept. */
    reconnected(withinMs: number): void {
      if (!hasLedger()) return;
      opened?.reconnected();
      isWoken = true;
      entry.within(withinMs);
    },
    isActive: () => !isResting,
    /** Left alone: only a wake or the sweep brings the next look. */
    isLeftAlone: () => isResting && !isWoken,
    /** There is something to be done. */
    attend(): void {
      isWoken = true;
      entry.within(0);
    },
    /** Local time of the last look that succeeded; 0 for none. */
    lastLookAtMs: () => lastLookAtMs,
    stalledForMs: () => opened?.stalledForMs() ?? 0,
    /** Why it is not served. */
    refusal: () => refusal,
    /** Makes no further look, finishes the calls under way and lets go of everything. */
    async stop(): Promise<void> {
      isStopped = true;
      const lastLook = within(entry.remove(), lastLookMs).catch(() => undefined);
      await Promise.all([lastLook, opened ? opened.close() : letGo?.leave()]);
      idle.remove(entryOfIdle);
    },
  };
}
