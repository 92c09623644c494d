/** From a call's outcome until Defender is read for its end: a quiet machine takes minutes. */
export const firstReadInMs = 30_000;

const minuteMs = 60_000;
/** How long a result has run, and how often Defender is read for it then. */
const steps = [
  { untilAgeMs: 10 * minuteMs, everyMs: 30_000 },
  { untilAgeMs: 60 * minuteMs, everyMs: minuteMs },
  { untilAgeMs: 6 * 60 * minuteMs, everyMs: 3 * minuteMs },
] as const;
const oldEveryMs = 10 * minuteMs;

/** From one read to the next for a result that has run for so long. Pure. */
export function readEveryMs(ageMs: number): number {
  return steps.find(({ untilAgeMs }) => ageMs < untilAgeMs)?.everyMs ?? oldEveryMs;
}
