/** Milliseconds of the replay for so many seconds of the trace. */
export type Scaled = (traceSeconds: number) => number;

/** One text in one source file, and what stands there in a replay. */
export interface ScaledConstant {
  /** Below the root of the repository. */
  file: string;
  text: string;
  by: string;
}

export const scaledBy =
  (hourMs: number): Scaled =>
  (traceSeconds) =>
    (traceSeconds * hourMs) / 3_600;

/** Priorities of BullMQ end at 2,097,151, and a day of slack on their scale is not scaled: less than this would not fit. */
const leastStepMs = 50;
/** What a read of the simulator takes is not scaled either: a look must be worth something until its call. */
const leastAheadMs = 300;

/**
 * The constants of the services that are times of the outside world, scaled as the settings are. What is a time of the software
 * itself (heartbeats, retries after an error, how long Redis may take) stays.
 */
export function scaledConstants(hourMs: number): ScaledConstant[] {
  const scaled = scaledBy(hourMs);
  const ahead = Math.max(leastAheadMs, scaled(20));
  const constant = (file: string, text: string, ms: number): ScaledConstant => ({
    file,
    text,
    by: text.replace(/(?<== |: )\w+(?=[;,]?$)/, String(Math.max(1, Math.round(ms)))),
  });
  const order = 'shared/queue/src/scheduling/order.ts';
  const looks = 'shared/queue/src/tasks/look-store.ts';
  const lookAhead = 'services/worker/src/look-ahead';
  return [
    constant(order, 'const stepMs = minuteMs;', Math.max(leastStepMs, scaled(60))),
    {
      file: order,
      text: 'maxLagMs: dayMs',
      by: `maxLagMs: ${Math.round(scaled(86_400))}`,
    },
    constant(`${lookAhead}/slots-ahead.ts`, 'const aheadMs = 20_000;', ahead),
    constant(`${lookAhead}/look-ahead.ts`, 'const betweenMs = 250;', Math.max(5, scaled(0.25))),
    constant(`${lookAhead}/look-ahead.ts`, 'const longestHeldMs = 1_000;', Math.max(leastAheadMs, scaled(1))),
    constant(`${lookAhead}/look-ahead.ts`, 'const restMs = 60_000;', Math.max(leastAheadMs, scaled(60))),
    constant(looks, 'const coverCountsForMs = 45_000;', 2.25 * ahead),
    constant(looks, 'const machineCountsForMs = 600_000;', Math.max(2.25 * ahead, scaled(600))),
    constant('shared/quota/src/reads/read-budget.ts', 'const minuteMs = 60_000;', scaled(60)),
    constant('services/intake-api/src/open-intake.ts', 'ledgerMaxAgeMs = 1_000', Math.max(5, scaled(1))),
  ];
}
