import { setTimeout as wait } from 'node:timers/promises';
import type { createRestCheck } from './rest-check.ts';

/** A queue of this process. */
export interface Swept {
  readonly keySpace: string;
  /** Only a wake or the sweep brings the next look. */
  isLeftAlone(): boolean;
  /** It is known to have a ledger. */
  hasLedger(): boolean;
  /** It rests until the next read of a result is due. */
  awaitsResult(): boolean;
  /** There is something to be done in it. */
  attend(): void;
}

export interface RestSweepOptions {
  queues(): readonly Swept[];
  check: ReturnType<typeof createRestCheck>;
  outages: { failed(error: unknown): void; worked(): void };
  /** From one sweep over a queue to the next. */
  everyMs(): number;
}

/** Queues asked about with one command. Redis takes some 50 µs for them. */
const atOnce = 50;
const afterFailureMs = 1_000;

/**
 * Sweeps the queues that are left alone, in case a wake was lost: some at a time, all of them once in the given time. What
 * it costs does not depend on how many have been open.
 */
export function startRestSweep({ queues, check, outages, everyMs }: RestSweepOptions) {
  const closing = new AbortController();
  let next = 0;
  /** How many more are to be swept without a pause. */
  let urgent = 0;
  let pause = new AbortController();

  async function sweepSome(): Promise<void> {
    const all = queues();
    if (next >= all.length) next = 0;
    const some = all.slice(next, next + atOnce);
    const { withWork, error } = await check(
      some
        .filter((queue) => queue.isLeftAlone())
        .map(({ keySpace, hasLedger, awaitsResult, attend }) => ({
          keySpace,
          hasLedger: hasLedger(),
          awaitsResult: awaitsResult(),
          attend,
        })),
    );
    for (const queue of withWork) queue.attend();
    next += some.length;
    urgent = Math.max(0, some.length === 0 ? 0 : urgent - some.length);
    if (error === undefined) outages.worked();
    else outages.failed(error);
  }

  async function run(): Promise<void> {
    // Processes that were started together do not sweep together.
    let pauseMs = Math.random() * pauseBetween(queues().length);
    while (!closing.signal.aborted) {
      pause = new AbortController();
      if (urgent <= 0) await sleep(pauseMs, AbortSignal.any([closing.signal, pause.signal]));
      if (closing.signal.aborted) return;
      try {
        await sweepSome();
        pauseMs = pauseBetween(queues().length);
      } catch (error) {
        outages.failed(error);
        await sleep(afterFailureMs, closing.signal);
      }
    }
  }

  const pauseBetween = (count: number): number => everyMs() / Math.max(1, Math.ceil(count / atOnce));
  const running = run();

  return {
    /** Sweeps all of them now. */
    now(): void {
      urgent = queues().length;
      pause.abort();
    },
    async stop(): Promise<void> {
      closing.abort();
      await running;
    },
  };
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
