import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { createLookScheduler, type Look } from '../scheduling/look-scheduler.ts';
import { createPollTurns, type PollTurnsOptions } from '../scheduling/poll-turns.ts';
import type { ClaimedJob } from '../scheduling/job-claimer.ts';

const nowMs = 50_000;
export const hourMs = 3_600_000;

/** A ledger with one slot or more, one of them free or coming back after so many ms, and a hold of so many ms. */
export function view({ freeInMs = 0, heldForMs = 0, calls = 1 } = {}): LedgerSnapshot {
  const slotsInUse = freeInMs > 0 ? [{ freeAtMs: nowMs + freeInMs, call: undefined }] : [];
  return {
    nowMs,
    limits: oneLimit(calls, hourMs, slotsInUse),
    slotsInUse,
    hold: heldForMs > 0 ? { reason: 'paused', untilMs: nowMs + heldForMs } : undefined,
    holdsOn: heldForMs > 0 ? ['paused'] : [],
    isLost: false,
  };
}

export function jobNamed(taskId: string): ClaimedJob {
  return { taskId, isReadable: true, complete: async () => undefined, release: async () => undefined };
}

/** Settled from outside. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

export type PollLoop = ReturnType<typeof startPollLoop>;

/** One queue that is looked at for as long as the loop runs. */
export function startPollLoop(options: PollTurnsOptions) {
  const scheduler = createLookScheduler();
  let look: Look | undefined;
  const turns = createPollTurns({ ...options, onServed: () => look?.within(0) });
  look = scheduler.add({ look: () => turns.turn() });
  return {
    ...turns,
    wake: () => look.within(0),
    stop(): Promise<void> {
      scheduler.stop();
      return turns.stop();
    },
  };
}

/** A queue and a limiter in which there is always something, and which record each call. */
export function loopWorld(own: Partial<PollTurnsOptions> = {}) {
  const events: string[] = [];
  const errors: unknown[] = [];
  let jobs = 0;
  const options: PollTurnsOptions = {
    snapshot: async () => view(),
    countReady: async () => 1,
    tryAcquire: async () => {
      events.push('acquire');
      return {
        spent: () => undefined,
        counted: () => undefined,
        release: () => events.push('release'),
        keepForOneWindow: () => events.push('keep'),
      };
    },
    claim: async () => {
      events.push('claim');
      return jobNamed(`job-${++jobs}`);
    },
    // Never ends by itself, so that the loop stands still once it has claimed.
    serve: () => new Promise(() => undefined),
    maxInFlight: 1,
    onError: (error) => errors.push(error),
    ...own,
  };
  return { events, errors, options };
}

/** Gives these one after the other, the last one for ever. */
export function inTurn<T>(...values: T[]): () => Promise<T> {
  let turn = 0;
  return async () => values[Math.min(turn++, values.length - 1)] as T;
}

export interface LoopSuite {
  /** Starts a loop that ends with its test. */
  start(options: PollTurnsOptions): PollLoop;
  /** Ends every wait from here on at once and notes how long it would have been, in ms; until the end of the test. */
  hurryWaits(): number[];
  /** Waits as usual; one of this length never ends by itself. */
  stretchWaits(ms: number): void;
}

function replaceTimer(fake: (act: () => void, ms?: number) => NodeJS.Timeout): void {
  globalThis.setTimeout = fake as typeof setTimeout;
}

/** Call inside a `describe`. */
export function usePollLoops(): LoopSuite {
  const loops: PollLoop[] = [];
  const realSetTimeout = globalThis.setTimeout;
  afterEach(() => {
    globalThis.setTimeout = realSetTimeout;
    // Not awaited: a job that is never seen through would keep it waiting. The loop itself ends with its turn.
    for (const loop of loops.splice(0)) void loop.stop();
  });
  return {
    start(options) {
      const loop = startPollLoop(options);
      loops.push(loop);
      return loop;
    },
    hurryWaits() {
      const waits: number[] = [];
      replaceTimer((act, ms = 0) => {
        waits.push(ms);
        return realSetTimeout(act, 0);
      });
      return waits;
    },
    stretchWaits: (stretchedMs) =>
      replaceTimer((act, ms) => realSetTimeout(act, ms === stretchedMs ? hourMs : ms)),
  };
}
