/** From a call's outcome until Defender is read for its end, and from then on at first: a quiet machine takes minutes. */
export const usualEveryMs = 30_000;

const minuteMs = 60_000;
/** How long a result has run, and how many times the shortest interval lies between two reads for it then. */
const steps = [
  { untilAgeMs: 10 * minuteMs, times: 1 },
  { untilAgeMs: 60 * minuteMs, times: 2 },
  { untilAgeMs: 6 * 60 * minuteMs, times: 6 },
] as const;
const timesWhenOld = 20;

/** From one read to the next for a result that has run for so long. Pure. */
export function readEveryMs(ageMs: number, shortestMs: number = usualEveryMs): number {
  return shortestMs * (steps.find(({ untilAgeMs }) => ageMs < untilAgeMs)?.times ?? timesWhenOld);
}
