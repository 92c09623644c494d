import { freeSlots, nextSlotAtMs, slotAfterLastAtMs } from '@diq/quota/forecast.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { freeSlotsOf } from '@diq/quota/limits.ts';
import type { Permit } from '@diq/quota/limiter/permit-limiter.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import type { ClaimedJob } from './job-claimer.ts';

export interface PollTurnsOptions {
  snapshot(): Promise<LedgerSnapshot>;
  countReady(): Promise<number>;
  tryAcquire(): Promise<Permit | undefined>;
  claim(): Promise<ClaimedJob | undefined>;
  /** Processes one job and ends its permit. Never rejects. */
  serve(job: ClaimedJob, permit: Permit): Promise<void>;
  /** Slots that are kept for critical requests, and whether one is next. */
  reserveForCritical?: number;
  isCriticalNext?(): Promise<boolean>;
  /** Whether a job may have a slot that is kept for critical requests: asked of what was claimed for one. */
  isCritical?(job: ClaimedJob): Promise<boolean>;
  /** Whether the next call waits for a look at it; for a second at most. Not asked at a slot that was waited for. */
  holdsNext?(view: LedgerSnapshot): Promise<boolean>;
  /** Jobs served at the same time; more than the quota is of no use. */
  maxInFlight: number;
  /** Gets the time during which a call could have been made and was not, in seconds. */
  onIdle?(seconds: number): void;
  /** Longest time between two polls, in ms: how late a returned permit is noticed. Default 1 s. */
  longestMs?(): number;
  /** By how much other workers are ahead at the next slot, in ms. Default 0. */
  yieldsMs?(): number;
  /** A slot opens soon, and work is ready. */
  prepare?(): void;
  /** A job was claimed. */
  onClaimed?(): void;
  /** A job was processed: what the last turn saw is out of date. */
  onServed?(): void;
  /** After each turn without an error. */
  onTurn?(): void;
  onError(error: unknown): void;
}

export type PollTurns = ReturnType<typeof createPollTurns>;

/** The pause after another worker was quicker to claim. */
const beatenMs = 100;
/** Between two polls while a probe call tests the path to Defender; it may be another worker's. */
const probedMs = 50;
/** While the next call waits for a look; the end of that wakes the queue as a rule. */
const heldMs = 50;
const usualLongestMs = 1_000;
const afterErrorMs = 500;
/** How long a stop waits for the turn under way. */
const lastTurnMs = 2_000;
/**
 * The first pause when there is no permit although the ledger shows a slot: a worker has it in hand, this one or another, or made the
 * call before and could not say from when that counts. It doubles up to the longest, for as long as there is a slot.
 */
const disagreementMs = 40;
/** The limiter is opened this long before the slot, so that the call does not wait for that. */
const prepareMs = 1_000;

/**
 * Claims a job whenever a slot is free, work is ready and no hold is on, and only then: permit first, job second.
 * So the next call is chosen at the last moment, and waiting jobs hold no permit.
 */
export function createPollTurns(options: PollTurnsOptions) {
  const inFlight = new Set<Promise<void>>();
  /** Of claimed jobs, until the ledger counts their calls or none is made. */
  const unspent = new Set<Permit>();
  const progress = createProgressWatch((seconds) => options.onIdle?.(seconds));
  const { reserveForCritical: reserve = 0, isCriticalNext = async () => true } = options;
  const { isCritical = async () => true, longestMs: longest = () => usualLongestMs } = options;
  let lastTurnAtMs = Date.now();
  let blockedUntilMs = 0;
  let disagreements = 0;
  let isSlotAwaited = false;
  let stopping = false;
  let hasStopped = false;

  /** One poll and what follows from it. @returns how long to wait before the next, in ms */
  async function poll(): Promise<number> {
    const unspentBefore = unspent.size;
    // Also while nothing more can be taken in hand: whether ledger and queue can be asked must not become unknown.
    const [view, ready] = await Promise.all([options.snapshot(), options.countReady()]);
    lastTurnAtMs = Date.now();
    const seenAtMs = performance.now();
    const isFull = inFlight.size >= options.maxInFlight;
    const waitMs = untilNextCall(view);
    blockedUntilMs = isFull ? Infinity : waitMs > 0 ? performance.now() + waitMs : 0;
    const isKept = waitMs === 0 && freeSlots(view) <= reserve;
    const isKeptBack = isKept && ready > 0 && !(await isCriticalNext());
    const isProbed = view.probedUntilMs !== undefined;
    const couldCall = !isFull && ready > 0 && waitMs === 0 && !isKeptBack && !isProbed;
    // What waited for its slot had its look ahead of it.
    isSlotAwaited = ready > 0 && (isSlotAwaited || waitMs > 0);
    const isHeld = couldCall && !isSlotAwaited && (await options.holdsNext?.(view)) === true;
    progress.saw(couldCall && !isHeld);
    const longestMs = longest();
    // A wake cuts it short, and so does the end of a job.
    if (isFull || ready === 0 || isKeptBack) return longestMs;
    if (waitMs > 0) {
      disagreements = 0;
      const yieldsMs = options.yieldsMs?.() ?? 0;
      if (waitMs <= prepareMs && yieldsMs === 0) options.prepare?.();
      return Math.min(waitMs + yieldsMs, longestMs);
    }
    if (isProbed) return probedMs;
    if (isHeld) return heldMs;
    // The limiter knows the shortest window alone: for a slot of a longer one it would give a second permit before the first is spent.
    const [, ...longer] = view.limits;
    const hasRoom = longer.every((limit) => freeSlotsOf(limit) > unspentBefore);
    const permit = hasRoom ? await options.tryAcquire() : undefined;
    if (!permit) {
      disagreements += 1;
      return Math.min(disagreementMs * 2 ** (disagreements - 1), longestMs);
    }
    disagreements = 0;
    if (!(await claimWith(permit, isKept))) return beatenMs;
    if (freeSlots(view) > 1) return 0;
    // It has the last slot that is open. The next one may open before the end of its job.
    const nextAtMs = slotAfterLastAtMs(view) ?? Infinity;
    const nextMs = seenAtMs + nextAtMs - view.nowMs + 1 - performance.now();
    const isSoon = nextMs < longestMs;
    // Also where nothing else is ready by now: work may come before it opens.
    blockedUntilMs = isSoon ? performance.now() + nextMs : Infinity;
    return isSoon && ready > 1 ? Math.max(0, nextMs) : longestMs;
  }

  async function claimWith(permit: Permit, isKept: boolean): Promise<boolean> {
    const job = stopping ? undefined : await orRelease(() => options.claim(), permit);
    // Another worker may have claimed the critical one that was next.
    const isEntitled =
      !isKept || (job !== undefined && (await orRelease(() => isCritical(job), permit, job)));
    if (!job || hasStopped || !isEntitled) {
      permit.release();
      await job?.release();
      return false;
    }
    progress.moved();
    options.onClaimed?.();
    unspent.add(permit);
    const served = options.serve(job, watched(permit)).finally(() => {
      unspent.delete(permit);
      inFlight.delete(served);
      options.onServed?.();
    });
    inFlight.add(served);
    return true;
  }

  function watched(permit: Permit): Permit {
    const over = (act: () => void) => () => {
      unspent.delete(permit);
      act();
    };
    return {
      spent: over(() => permit.spent()),
      counted: (fromMs) => permit.counted(fromMs),
      keepForOneWindow: over(() => permit.keepForOneWindow()),
      release: over(() => permit.release()),
    };
  }

  let underWay: Promise<unknown> = Promise.resolve();
  return {
    /** One poll and what follows from it. Never rejects. @returns how long to wait before the next, in ms */
    turn(): Promise<number> {
      const turned = poll().then(
        (waitMs) => {
          options.onTurn?.();
          return waitMs;
        },
        (error: unknown) => {
          options.onError(error);
          return afterErrorMs;
        },
      );
      underWay = turned;
      return turned;
    },
    /** Local time of the last successful poll. */
    lastTurnAtMs: () => lastTurnAtMs,
    /** Until when, by the last poll and `performance.now()`, no call is possible, however much work there is. */
    blockedUntilMs: () => blockedUntilMs,
    /** Jobs that are being served. */
    inFlight: () => inFlight.size,
    /** For how long, in ms, a call could have been made and nothing was claimed. */
    stalledForMs: () => progress.stalledForMs(),
    /** Claims nothing more and resolves when all claimed jobs are processed. */
    async stop() {
      stopping = true;
      // A claim that hangs with Redis is not waited for; a job that it still claims is released.
      await within(underWay, lastTurnMs).catch(() => undefined);
      hasStopped = true;
      await Promise.all(inFlight);
    },
  };
}

/** Milliseconds until a call may be made by this view of the ledger; 0 for now. */
function untilNextCall(view: LedgerSnapshot): number {
  const slotAtMs = freeSlots(view) > 0 ? view.nowMs : nextSlotAtMs(view);
  // A slot is free from the millisecond after its time on.
  const waitMs = Math.max(slotAtMs, view.hold?.untilMs ?? 0) - view.nowMs;
  return waitMs > 0 ? waitMs + 1 : 0;
}

/** What `act` brings; where it fails, the permit and the job go back. */
async function orRelease<T>(act: () => Promise<T>, permit: Permit, job?: ClaimedJob): Promise<T> {
  try {
    return await act();
  } catch (error) {
    permit.release();
    await job?.release();
    throw error;
  }
}

/**
 * Watches whether free slots are used.
 *
 * @param onIdle gets the time between two polls at both of which a call could have been made, in seconds
 */
export function createProgressWatch(
  onIdle: (seconds: number) => void,
  nowMs: () => number = () => performance.now(),
) {
  let stalledSinceMs: number | undefined;
  let lastIdleLookMs: number | undefined;

  return {
    /** Reports one poll: whether work was ready, a slot free and no hold on. `false` also when that is unknown. */
    saw(couldCall: boolean) {
      const seenAtMs = nowMs();
      if (couldCall && lastIdleLookMs !== undefined) onIdle((seenAtMs - lastIdleLookMs) / 1_000);
      lastIdleLookMs = couldCall ? seenAtMs : undefined;
      stalledSinceMs = couldCall ? (stalledSinceMs ?? seenAtMs) : undefined;
    },
    /** A job was claimed. */
    moved() {
      lastIdleLookMs = undefined;
      stalledSinceMs = undefined;
    },
    /** For how long, by the latest poll, calls could have been made and nothing was claimed. In ms. */
    stalledForMs: () => (stalledSinceMs === undefined ? 0 : nowMs() - stalledSinceMs),
  };
}
