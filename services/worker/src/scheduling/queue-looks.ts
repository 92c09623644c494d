import type { QueueNeeds } from './queue-needs.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import type { PollTurns } from './poll-turns.ts';

export interface QueueLooksOptions {
  /** @throws LayoutError */
  claimLayout(): Promise<void>;
  snapshot(): Promise<LedgerSnapshot>;
  readNeeds(): Promise<QueueNeeds>;
  /** Reads Defender for the results of the tenant that are due; none where results are not followed. */
  follow?: (() => Promise<void>) | undefined;
  /** When the next result of this queue is to be read, by Redis' clock; `undefined` where none is followed. */
  nextResultMs(): Promise<number | undefined>;
  /** How many Defender runs at once. While as many run, nothing is claimed. */
  mostRunning?: number | undefined;
  maintenance: {
    /** Begins what there is a need for. */
    attend(needs: QueueNeeds, nowMs: number): void;
    unsettled(): void;
  };
  /** Gets what each look saw. */
  onSeen?(view: LedgerSnapshot, needs: QueueNeeds): void;
  createTurns(sight: {
    snapshot(): Promise<LedgerSnapshot>;
    countReady(): Promise<number>;
    yieldsMs(): number;
    onClaimed(): void;
  }): PollTurns;
}

/**
 * What follows from a look: when the next one is due, or that nothing is left to be done, for so long where results are followed.
 * `failed`: it showed nothing.
 */
export type AfterLook = { kind: 'again' | 'failed'; waitMs: number } | { kind: 'rest'; dueMs?: number };

/**
 * For so long a queue is looked at when nothing is left to be done: so every worker knows of the calls that the others
 * made last, and their outcomes, should Redis lose them, also where the message that brings it to look was lost.
 */
const lingerMs = 1_500;

/** From one reading of results that are due to the next. */
const followAgainMs = 2_000;

/** By so much the worker that made the last call is ahead of the others at the next slot: they come in its place if it is gone. */
const yieldMs = 50;

/** The looks at an open queue: each claims what may be called, and has done what there is a need for. */
export function createQueueLooks(options: QueueLooksOptions) {
  const { maintenance, mostRunning = Infinity } = options;
  let seen: { view: LedgerSnapshot; needs: QueueNeeds; atMs: number } | undefined;
  let needs: QueueNeeds | undefined;
  let view: LedgerSnapshot | undefined;
  let isLayoutClaimed = true;
  let quietSinceMs: number | undefined;
  let isOthersTurn = false;

  const turns = options.createTurns({
    async snapshot() {
      view = await options.snapshot();
      return view;
    },
    async countReady() {
      needs = await options.readNeeds();
      return needs.running < mostRunning ? needs.ready : 0;
    },
    yieldsMs: () => (isOthersTurn ? yieldMs : 0),
    onClaimed: () => void (isOthersTurn = false),
  });

  /** For how long, in ms, nothing is due; by Redis' clock. */
  function untilDue({
    view: { nowMs },
    needs: { deadlineMs, queryMs, resultMs },
  }: NonNullable<typeof seen>): number {
    return Math.max(0, Math.min(deadlineMs ?? Infinity, queryMs ?? Infinity, resultMs ?? Infinity) - nowMs);
  }

  /** @throws LayoutError where Redis holds another one now  @throws Error while that cannot be asked */
  async function look(): Promise<AfterLook> {
    if (!isLayoutClaimed) {
      await options.claimLayout();
      isLayoutClaimed = true;
    }
    [view, needs] = [undefined, undefined];
    const waitMs = await turns.turn();
    if (!view || !needs) {
      maintenance.unsettled();
      return { kind: 'failed', waitMs };
    }
    seen = { view, needs, atMs: performance.now() };
    maintenance.attend(seen.needs, seen.view.nowMs);
    options.onSeen?.(seen.view, seen.needs);
    if (!isQuiet(seen) || turns.inFlight() > 0) quietSinceMs = undefined;
    else if (performance.now() - (quietSinceMs ??= performance.now()) >= lingerMs) return restUntil(seen);
    // What is due by now was begun, and is looked at again with the next look.
    const dueMs = untilDue(seen);
    return { kind: 'again', waitMs: dueMs > 0 ? Math.min(waitMs, dueMs) : waitMs };
  }

  return {
    look,
    /**
     * In place of a look at a queue that rests but for its results: reads for those that are due, and nothing else. Thousands of
     * queues have results open for hours.
     */
    async follow(): Promise<AfterLook> {
      if (!isLayoutClaimed || !seen || !options.follow) return look();
      await options.follow();
      const resultMs = await options.nextResultMs();
      if (resultMs === undefined) return { kind: 'rest' };
      const nowMs = seen.view.nowMs + performance.now() - seen.atMs;
      // What is due still is read by another worker now.
      return { kind: 'rest', dueMs: Math.max(followAgainMs, resultMs - nowMs) };
    },
    /** Redis may have been away, or be another one. */
    reconnected() {
      isLayoutClaimed = false;
      quietSinceMs = undefined;
      maintenance.unsettled();
    },
    othersCalled(): void {
      isOthersTurn = true;
    },
    yieldsMs: () => (isOthersTurn ? yieldMs : 0),
    /** For how long no call is possible, however much work comes. */
    blockedForMs: () => Math.max(0, turns.blockedUntilMs() - performance.now()),
    lastTurnAtMs: turns.lastTurnAtMs,
    stalledForMs: turns.stalledForMs,
    /** Claims nothing more and resolves when all claimed jobs are processed. */
    stop: turns.stop,
  };
}

function restUntil({ view: { nowMs }, needs: { resultMs } }: { view: LedgerSnapshot; needs: QueueNeeds }) {
  return { kind: 'rest', ...(resultMs !== undefined && { dueMs: resultMs - nowMs }) } as const;
}

/** Nothing is left to be done now, nor later but for reading what became of results, and no call is under way. */
function isQuiet({ view, needs }: { view: LedgerSnapshot; needs: QueueNeeds }): boolean {
  const { ready, claimed, waiting, deadlineMs, callBeganMs, queryMs, resultMs = Infinity } = needs;
  const times = [deadlineMs, callBeganMs, queryMs];
  return (
    ready + claimed + waiting === 0 &&
    times.every((time) => time === undefined) &&
    resultMs > view.nowMs &&
    !view.holdsOn.includes('failover') &&
    view.slotsInUse.every(({ call }) => call?.outcome !== 'in_flight')
  );
}
