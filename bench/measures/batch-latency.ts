import type { Measure } from '../support/context.ts';
import { median, percentile } from '../support/statistics.ts';

/** Four callers that post batches of 1,000 all the time. */
export const batchLatency: Measure = {
  name: 'batch-latency',
  async run({ world: open, load, isQuick, rounds, say }) {
    const world = await open();
    const slowest: number[] = [];
    let failed = 0;
    let posts = 0;
    for (let round = 1; round <= rounds; round += 1) {
      await world.flush();
      const result = await load.run({
        ...world.target,
        paths: ['/v1/batches'],
        connections: 4,
        durationMs: isQuick ? 500 : 6_000,
        post: { itemsPerBatch: isQuick ? 100 : 1_000 },
      });
      slowest.push(percentile(result.latenciesMs, 0.99));
      failed += result.failed;
      posts += result.latenciesMs.length;
      say(
        `batches by 4 callers: round ${round} of ${rounds}: 99th percentile ${slowest.at(-1)?.toFixed(0)} ms`,
      );
    }
    return [
      {
        what: 'POST /v1/batches of 1,000, 4 callers',
        measured: { what: '99th percentile', unit: 'ms', rounds: slowest },
        mark: '< 1 s, no error',
        isReached: median(slowest) < 1_000 && failed === 0,
        note: `${failed} errors in ${posts} POSTs`,
      },
    ];
  },
};
