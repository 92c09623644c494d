import type { Measure } from '../support/context.ts';
import { refuseFailures } from '../support/load.ts';
import { percentile } from '../support/statistics.ts';

/** `/metrics` with a long queue. */
export const scrape: Measure = {
  name: 'scrape',
  async run({ fullWorld, fullSize, load, isQuick, rounds, say }) {
    const world = await fullWorld();
    const slowest: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const times = isQuick ? 5 : 100;
      const plan = { ...world.target, paths: ['/metrics'], connections: 1, durationMs: 0, times };
      const result = await load.run(plan);
      refuseFailures(result);
      slowest.push(percentile(result.latenciesMs, 0.99));
      say(`/metrics: round ${round} of ${rounds}: 99th percentile ${slowest.at(-1)?.toFixed(1)} ms`);
    }
    return [
      {
        what: `/metrics, ${fullSize.toLocaleString('en')} waiting`,
        measured: { what: '99th percentile', unit: 'ms', rounds: slowest },
        mark: '< 50 ms',
        isReached: Math.max(...slowest) < 50,
      },
    ];
  },
};
