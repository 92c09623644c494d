import { LayoutError } from '@diq/queue/layout.ts';
import type { WakeReason } from '@diq/queue/scheduling/wakes.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Look, LookScheduler } from './look-scheduler.ts';
import type { AfterLook } from './queue-looks.ts';

/** A queue as it is served once it is open; see `createQueueLooks`. */
export interface OpenedQueue {
  look(): Promise<AfterLook>;
  reconnected(): void;
  isBlocked(): boolean;
  stalledForMs(): number;
  close(): Promise<void>;
}

export interface ServedQueueOptions {
  /** For readiness and log. */
  name: string;
  scheduler: LookScheduler;
  /** Whether there is nothing to be done, by one cheap command. */
  isAtRest(hasLedger: boolean): Promise<boolean>;
  /** @throws LayoutError  @throws Error while Redis cannot serve */
  open(): Promise<OpenedQueue>;
  logger: Logger;
  /** Of sweeps, for all queues of the process: thousands of them fail together. */
  sweeping: { failed(error: unknown): void; worked(): void };
  sweepEveryMs?: number;
  /** Redis holds the data of another version. */
  onForeign?(error: LayoutError): void;
}

export type ServedQueue = ReturnType<typeof createServedQueue>;

/** Between two looks at a queue in which there is nothing to do, in case a wake is lost. */
const usualSweepMs = 60_000;
/** Wakes close to each other are one look. */
const betweenWakesMs = 20;
const firstPauseMs = 500;
const longestPauseMs = 2_000;
const longestClosedPauseMs = 10_000;
const lastLookMs = 2_000;
const refusedForMs = 60_000;

/**
 * A queue that this process serves, from the first sign of work on: it is opened when there is something to be done, looked at
 * for as long as there is, and then left alone but for a slow sweep.
 *
 * `closed`: not opened yet, swept. → `open` by a look that finds work.
 * `open`: each look says when the next one is due. → `resting` when nothing is left to be done.
 * `resting`: swept. → `open` by a wake, a sweep that finds work, or a new connection to Redis.
 */
export function createServedQueue(options: ServedQueueOptions) {
  const { name, scheduler, logger, sweeping, sweepEveryMs = usualSweepMs } = options;
  let opened: OpenedQueue | undefined;
  let opening: Promise<OpenedQueue> | undefined;
  let isResting = true;
  let isWoken = false;
  let failures = 0;
  let lastLookAtMs = 0;
  let lastEndMs = -Infinity;
  let refusal: string | undefined;
  let isStopped = false;
  let wasSwept = false;

  async function look(): Promise<number | undefined> {
    if (isStopped) return undefined;
    const mustLook = isWoken || !isResting;
    isWoken = false;
    try {
      return await lookOnce(mustLook);
    } catch (error) {
      // A sweep that fails is swept again; it is no sign of work.
      isWoken ||= mustLook;
      return await afterFailure(error);
    } finally {
      lastEndMs = performance.now();
    }
  }

  /** Spread, so that queues which were left alone together are not swept together. */
  function untilSweep(): number {
    const part = wasSwept ? 0.75 + Math.random() / 2 : Math.random();
    wasSwept = true;
    return part * sweepEveryMs;
  }

  function succeeded(waitMs: number): number {
    failures = 0;
    refusal = undefined;
    lastLookAtMs = Date.now();
    return waitMs;
  }

  function open(): Promise<OpenedQueue> {
    opening ??= options
      .open()
      .then((queue) => (opened = queue))
      .finally(() => (opening = undefined));
    return opening;
  }

  async function lookOnce(mustLook: boolean): Promise<number> {
    if (!mustLook) {
      const isAtRest = await options.isAtRest(opened !== undefined);
      sweeping.worked();
      if (isAtRest) return succeeded(untilSweep());
    }
    const queue = opened ?? (await open());
    isResting = false;
    const after = await queue.look();
    if (after.kind === 'failed') return untilNextTry(after.waitMs);
    if (after.kind === 'again') return succeeded(after.waitMs);
    isResting = true;
    return succeeded(untilSweep());
  }

  async function afterFailure(error: unknown): Promise<number> {
    if (error instanceof LayoutError) {
      if (refusal !== error.message) logger.error({ err: error }, 'queue not served');
      refusal = error.message;
      options.onForeign?.(error);
      const closing = opened;
      opened = undefined;
      await closing?.close();
      return refusedForMs;
    }
    if (isRedisTrouble(error)) sweeping.failed(error);
    else logger.error({ err: error }, 'look at the queue failed');
    return untilNextTry(firstPauseMs);
  }

  function untilNextTry(firstMs: number): number {
    failures += 1;
    return Math.min(
      firstMs * 2 ** Math.min(failures - 1, 10),
      opened ? longestPauseMs : longestClosedPauseMs,
    );
  }

  const entry: Look = scheduler.add({ look }, Infinity);

  return {
    name,
    /** Opens it whether there is work or not, as a start does. @throws as `open` */
    async open(): Promise<void> {
      if (!opened) await open();
      isResting = false;
      entry.within(0);
    },
    /** Looks within so many ms. */
    sweep: (withinMs: number) => entry.within(withinMs),
    wake(reason: WakeReason): void {
      if (opened && !isResting && reason === 'work' && opened.isBlocked()) return;
      isWoken = true;
      entry.within(Math.max(0, lastEndMs + betweenWakesMs - performance.now()));
    },
    /** A job was processed. */
    again: () => entry.within(0),
    /** The connection to Redis is a new one: what is open has to be looked at, the rest is swept. */
    reconnected(withinMs: number): void {
      opened?.reconnected();
      if (opened) isWoken = true;
      entry.within(withinMs);
    },
    isActive: () => !isResting,
    /** Local time of the last look that succeeded; 0 for none. */
    lastLookAtMs: () => lastLookAtMs,
    stalledForMs: () => opened?.stalledForMs() ?? 0,
    /** Why it is not served. */
    refusal: () => refusal,
    /** Makes no further look, finishes the calls under way and lets go of everything. */
    async stop(): Promise<void> {
      isStopped = true;
      const before = opened;
      const lastLook = within(entry.remove(), lastLookMs).catch(() => undefined);
      await Promise.all([lastLook, before?.close()]);
      if (opened !== before) await opened?.close();
    },
  };
}
