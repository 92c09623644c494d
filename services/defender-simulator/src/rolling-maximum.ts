/**
 * The greatest number of calls that lie in any one stretch of `windowMs`.
 * The stretch is half open: calls exactly one window apart never lie in the same one.
 *
 * @param timesMs when the calls came, ascending
 */
export function rollingMaximum(timesMs: readonly number[], windowMs: number): number {
  let oldest = 0;
  let greatest = 0;
  timesMs.forEach((atMs, index) => {
    while (atMs - (timesMs[oldest] ?? atMs) >= windowMs) oldest += 1;
    greatest = Math.max(greatest, index - oldest + 1);
  });
  return greatest;
}
