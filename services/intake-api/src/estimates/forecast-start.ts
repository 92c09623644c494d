import { createForecast, nextSlotAtMs } from '@diq/quota/forecast.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { isoTime } from './iso-time.ts';

/** When the call at this place in the order (1 is next) is expected to start; `undefined` while nobody can say. */
export function forecastStartMs(view: LedgerSnapshot, position: number): number | undefined {
  return startForecast(view)(position);
}

/** The same for many places by one view. Of a hold whose end nobody knows, or while no worker is alive, no time follows. */
export function startForecast(view: LedgerSnapshot): (position: number) => number | undefined {
  const isEndKnown = view.hold === undefined || isoTime(view.hold.untilMs) !== undefined;
  return isEndKnown && !isStartUnknown(view) ? createForecast(view) : () => undefined;
}

/** Before when nothing starts, where that is all that can be said; `undefined` where a start is expected, or nothing is known. */
export function startNotBeforeMs(view: LedgerSnapshot): number | undefined {
  // What keeps that hold on may pass at any time.
  if (!isStartUnknown(view) || view.hold?.cause !== undefined) return undefined;
  const atMs = view.hold?.untilMs ?? nextSlotAtMs(view);
  return isoTime(atMs) === undefined ? undefined : atMs;
}

/** By quota and holds alone, as if a worker were alive: one that is replaced must not close the door for new requests. */
export function byQuotaAlone(view: LedgerSnapshot): LedgerSnapshot {
  const { workers: _, ...rest } = view;
  return rest;
}

function isStartUnknown({ isEndUnknown, workers }: LedgerSnapshot): boolean {
  return isEndUnknown === true || workers?.alive === 0;
}
