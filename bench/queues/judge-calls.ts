import type { ArrivedCall } from './many-defenders.ts';

/** What the log of a Defender says about one queue. */
export interface JudgedCalls {
  /** Of each call but the first ones: from the opening of its slot to its arrival, in ms. */
  late: number[];
  made: number;
  /** How many the quota allowed, from the first call to the end. */
  possible: number;
}

/**
 * Judges the calls of a queue in which requests waited all the time. A slot opens one window after the time from which the
 * ledger counts the call that had it before (`countedMs`, ascending, as `calls`): its answer. What was possible is reckoned from
 * arrivals alone, as in `measures/slots.ts`; a queue that is called no more loses what it could have had until `endMs`.
 */
export function judgeCalls(
  calls: readonly ArrivedCall[],
  countedMs: readonly number[],
  { limit, windowMs, endMs }: { limit: number; windowMs: number; endMs: number },
): JudgedCalls {
  const times = calls.map(({ wallMs }) => wallMs);
  const late = times.slice(limit).flatMap((at, i) => {
    const counted = countedMs[i];
    return counted === undefined ? [] : [at - counted - windowMs];
  });
  const firstMs = times[0] ?? endMs - windowMs;
  const spanMs = Math.max((times.at(-1) ?? firstMs) - firstMs, endMs - windowMs - firstMs);
  return { late, made: times.length, possible: limit * (spanMs / windowMs) + limit };
}

/** Calls over the limit, refused for their quota, or made twice for one machine: each request asked for another. */
export function countViolations(
  calls: readonly ArrivedCall[],
  { limit, windowMs }: { limit: number; windowMs: number },
): number {
  const over = calls.filter(({ atMs }, i) => {
    const before = calls[i - limit];
    return before !== undefined && atMs - before.atMs < windowMs;
  });
  const refused = calls.filter(({ status }) => status === 429);
  const twice = calls.length - new Set(calls.map(({ machineId }) => machineId)).size;
  return over.length + refused.length + twice;
}
