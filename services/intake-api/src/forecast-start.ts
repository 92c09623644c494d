import { createForecast } from '@diq/quota/forecast.ts';
import type { LedgerView } from '@diq/quota/ledger-replies.ts';
import { isoTime } from './iso-time.ts';

/** When the call at this place in the order (1 is next) is expected to start; `undefined` during a hold without end. */
export function forecastStartMs(view: LedgerView, position: number): number | undefined {
  return startForecast(view)(position);
}

/** The same for many places by one view. */
export function startForecast(view: LedgerView): (position: number) => number | undefined {
  const isEndKnown = view.hold === undefined || isoTime(view.hold.untilMs) !== undefined;
  return isEndKnown ? createForecast(view) : () => undefined;
}
