import { setTimeout as wait } from 'node:timers/promises';
import type { Ledger, RebuildFailure } from '@diq/quota/ledger/ledger.ts';
import { longestWindowMs } from '@diq/quota/limits.ts';
import type { ColdStartHold, LedgerCall, LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { countsSinceMs, knownStarts, type StartedReading } from './list-recent-starts.ts';

/** What a worker does when the ledger is empty at its start. */
export const coldStartModes = ['reconstruct', 'open', 'wait'] as const;

export type ColdStartMode = (typeof coldStartModes)[number];

export interface OpenLedgerOptions {
  ledger: Ledger;
  mode: ColdStartMode;
  readStarted(sinceMs: number): Promise<StartedReading>;
  /**
   * Stores what only this process knows of its calls: once it has opened the ledger again, others may take a call without an outcome for
   * lost.
   */
  beforeReopening(): Promise<void>;
  /** Gets the calls that the ledger had lost and this worker knew, once they are in it again. */
  onRestored(calls: readonly LedgerCall[]): void;
  logger: Logger;
  /** From opening until the list is read. */
  settleMs?: number;
}

export type OpenLedger = Awaited<ReturnType<typeof openLedger>>;

/** Workers that live add what they called within a second, and what just left appears in Defender's list. */
const usualSettleMs = 2_000;
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;
const override =
  'set QUOTA_COLD_START=open and restart if you know that nothing was started within the last window';

/**
 * Opens the ledger. While it is empty, or its cold start is not over, the queue is on hold; the mode says how that ends. Any number of workers may try at the same time: the first that can ends it for all.
 */
export async function openLedger(options: OpenLedgerOptions) {
  const { ledger, mode, logger } = options;
  const closing = new AbortController();
  // One that was open before knows calls: `snapshot` finds out whether Redis has them still.
  const { coldStart } = ledger.isOpen() ? {} : await ledger.open();
  let isRebuilding = coldStart !== undefined;
  const rebuilding =
    coldStart && endColdStart(coldStart, options, closing.signal).finally(() => (isRebuilding = false));
  if (mode === 'open') await rebuilding;

  return {
    /** A snapshot; opens the ledger again when it was lost. */
    async snapshot(): Promise<LedgerSnapshot> {
      const view = await ledger.snapshot();
      if (!view.isLost) return view;
      await options.beforeReopening();
      const opened = await ledger.open();
      if (opened.restored.length > 0) options.onRestored(opened.restored);
      const restored = opened.restored.length;
      if (opened.coldStart) {
        // In every mode: Defender lists no call that it refused or has not answered yet, and QUOTA_COLD_START=open was
        // set for another situation.
        logger.error(
          { until: isoOf(opened.coldStart.untilMs) },
          'the ledger was lost while calls were made, queue on hold until one window is over',
        );
      } else if (restored > 0)
        logger.error({ restored }, 'the ledger had lost calls that this worker knew, added again');
      if (opened.handoverUntilMs !== undefined) {
        const until = isoOf(opened.handoverUntilMs);
        logger.warn(
          { until, restored },
          'Redis was restarted or failed over: no calls until all workers are back',
        );
      }
      return await ledger.snapshot();
    },
    /** It tries to end a cold start, which it would not begin again. */
    isRebuilding: () => isRebuilding,
    /** Ends the trying. A read under way ends with its reader. */
    close: () => closing.abort(),
  };
}

async function endColdStart(
  { untilMs, mayBeRebuilt }: ColdStartHold,
  options: OpenLedgerOptions,
  closing: AbortSignal,
): Promise<void> {
  const { ledger, mode, logger } = options;
  if (mode === 'open') {
    const done = await ledger.endColdStart();
    logger.warn({ done }, 'the ledger is empty and QUOTA_COLD_START=open: calling at once');
    return;
  }
  logger.warn({ until: isoOf(untilMs), mode, override }, 'the ledger is empty, queue on hold');
  if (mode === 'wait' || !mayBeRebuilt) return;
  await pause(options.settleMs ?? usualSettleMs, closing);
  for (let retryMs = firstRetryMs; !closing.aborted; retryMs = Math.min(2 * retryMs, longestRetryMs)) {
    const attempt = await rebuildOnce(options).catch((error: unknown): Failed => ({ reason: String(error) }));
    if (attempt === 'over' || closing.aborted) return;
    const waitMs = Math.min(Math.max(retryMs, attempt.retryAfterMs ?? 0), longestRetryMs);
    const { reason, httpStatus, code } = attempt;
    logger.warn(
      {
        reason,
        httpStatus,
        code,
        until: isoOf(untilMs),
        nextTryInMs: waitMs,
        // No mode of the start helps without a token: then no call can be made either.
        override: reason === 'no_token' ? undefined : override,
      },
      'waiting to read from Defender what was started within the last window',
    );
    await pause(waitMs, closing);
  }
}

interface Failed {
  reason: string;
  retryAfterMs?: number | undefined;
  httpStatus?: number | undefined;
  code?: string | undefined;
}

/** @returns `over` when there is nothing left to be done */
async function rebuildOnce({ ledger, readStarted, logger }: OpenLedgerOptions): Promise<'over' | Failed> {
  const view = await ledger.snapshot();
  if (view.isLost || !view.holdsOn.includes('cold_start')) return 'over';
  const reading = await readStarted(countsSinceMs(view.nowMs, longestWindowMs(view.limits)));
  if (reading.kind === 'unreadable') {
    const { reason, httpStatus, code } = reading;
    // Otherwise the worker itself gave up, or has no read left: nothing that calls would meet.
    if (reason !== 'closed' && reason !== 'paced')
      await ledger.noteRebuildFailure({ cause: causes[reason], httpStatus, code });
    return reading;
  }
  const starts = knownStarts(reading.value, {
    nowMs: view.nowMs,
    limit: Math.max(...view.limits.map(({ quotaCalls }) => quotaCalls)),
  });
  const done = await ledger.rebuild(starts);
  const { records, odd } = reading.value;
  const found = { done, listed: records.length, unreadable: odd.length, counted: starts.length };
  logger.info(
    found,
    done === 'ended' ? 'ledger rebuilt from what Defender lists' : 'ledger not rebuilt by this worker',
  );
  return 'over';
}

async function pause(ms: number, closing: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal: closing }).catch(() => undefined);
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

type Unreadable = Extract<StartedReading, { kind: 'unreadable' }>;

/** Calls would meet the same: they share token, address and network with the reading. */
const causes: Readonly<Record<Exclude<Unreadable['reason'], 'closed' | 'paced'>, RebuildFailure['cause']>> = {
  no_token: 'no_token',
  token_rejected: 'not_allowed',
  not_allowed: 'not_allowed',
  throttled: 'throttled',
  server_error: 'failing',
  timeout: 'failing',
  too_many_pages: 'failing',
  connection: 'unreachable',
  not_found: 'endpoint_unusable',
  unexpected_answer: 'endpoint_unusable',
  unknown_coding: 'endpoint_unusable',
  too_long: 'endpoint_unusable',
  foreign_link: 'endpoint_unusable',
};
