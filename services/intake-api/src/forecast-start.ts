import { createForecast, nextSlotAtMs } from '@diq/quota/forecast.ts';
import type { LedgerView } from '@diq/quota/ledger-replies.ts';
import { isoTime } from './iso-time.ts';

/** When the call at this place in the order (1 is next) is expected to start; `undefined` while nobody can say. */
export function forecastStartMs(view: LedgerView, position: number): number | undefined {
  return startForecast(view)(position);
}

/** The same for many places by one view. Of a hold whose end nobody knows no time follows, least of all for those behind. */
export function startForecast(view: LedgerView): (position: number) => number | undefined {
  const isEndKnown = view.hold === undefined || isoTime(view.hold.untilMs) !== undefined;
  return isEndKnown && view.isEndUnknown !== true ? createForecast(view) : () => undefined;
}

/** Before when nothing starts, where that is all that can be said; `undefined` where a start is expected, or nothing is known. */
export function startNotBeforeMs(view: LedgerView): number | undefined {
  if (view.isEndUnknown !== true) return undefined;
  const atMs = view.hold?.untilMs ?? nextSlotAtMs(view);
  return isoTime(atMs) === undefined ? undefined : atMs;
}
