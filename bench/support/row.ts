import { median } from './statistics.ts';

/** Several values of one thing, one for each round. */
export interface Series {
  what: string;
  unit: string;
  rounds: readonly number[];
}

/** One line of the result. */
export interface Row {
  /** What was measured, and on what. */
  what: string;
  measured: Series;
  baseline?: Series;
  /** Measured against baseline, by their medians, in the direction that `mark` speaks of. */
  ratio?: number;
  /** What is to be reached, as a text. */
  mark: string;
  isReached: boolean;
  note?: string;
}

/** A line whose mark is the share of the baseline's speed that is to be reached. */
export function shareRow(what: string, measured: Series, baseline: Series, atLeast: number): Row {
  const ratio = median(measured.rounds) / median(baseline.rounds);
  return { what, measured, baseline, ratio, mark: `≥ ${percent(atLeast)}`, isReached: ratio >= atLeast };
}

/** A line whose mark is how many times the baseline's cost it may be. */
export function factorRow(what: string, measured: Series, baseline: Series, atMost: number): Row {
  const ratio = median(measured.rounds) / median(baseline.rounds);
  return { what, measured, baseline, ratio, mark: `≤ ${atMost} ×`, isReached: ratio <= atMost };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
