import { Redis } from 'ioredis';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import { startSimulator, startWorker } from '@diq/testing/service-process.ts';
import { mostInAnyWindow } from '../../test/end-to-end/support/simulator-control.ts';
import { startNaiveBottleneck } from '../baselines/start-baselines.ts';
import { startCallSink } from '../support/call-sink.ts';
import type { BenchContext, Measure } from '../support/context.ts';
import { openDefender } from '../support/defender.ts';
import { refuseFailures } from '../support/load.ts';
import { median, percentile } from '../support/statistics.ts';
import { startBenchRedis, startIntake, targetOf } from '../support/world.ts';

const limit = 5;
const windowMs = 3_000;

/**
 * How soon a slot is used, and how many are. All calls are asked for at once, here and of the naive limiter, which runs
 * beside it. A slot opens one window after the time from which the ledger counts the call that had it before: its answer.
 * The share of possible calls is reckoned from arrivals alone, so that Defender's time to answer counts as ours there.
 */
export const slots: Measure = {
  name: 'slots',
  async run(context) {
    const windows = context.isQuick ? 2 : 40;
    const { ours, naive, counted } = await callBoth(context, windows);
    const late = ours.slice(limit).map((at, i) => at - (counted[i] ?? 0) - windowMs);
    const most = (times: number[]) =>
      mostInAnyWindow({ windowMs, calls: times.map((atMs) => ({ atMs, machineId: '' })) });
    const lateness = (what: string, value: number, mark: number) => ({
      what: `Slot open → call on the wire, ${windows} windows: ${what}`,
      measured: { what, unit: 'ms', rounds: [value] },
      mark: `< ${mark} ms`,
      isReached: value < mark,
    });
    const used = usedShare(ours);
    return [
      lateness('median', median(late), 50),
      lateness('99th percentile', percentile(late, 0.99), 250),
      {
        what: 'Calls made of calls possible',
        measured: { what: 'made', unit: '%', rounds: [100 * used] },
        baseline: { what: 'naive Bottleneck', unit: '%', rounds: [100 * usedShare(naive)] },
        mark: '≥ 98 %',
        isReached: used >= 0.98,
        note: `${ours.length} calls; naive ${naive.length}`,
      },
      {
        what: `Most calls in any ${windowMs / 1_000} s`,
        measured: { what: 'calls', unit: '', rounds: [most(ours)] },
        baseline: { what: 'naive Bottleneck', unit: '', rounds: [most(naive)] },
        mark: `≤ ${limit}`,
        isReached: most(ours) <= limit,
      },
    ];
  },
};

/** Times of arrival, in order. */
async function callBoth(
  { load, say }: BenchContext,
  windows: number,
): Promise<Record<'ours' | 'naive' | 'counted', number[]>> {
  const calls = limit * (windows + 1);
  const redis = await startBenchRedis();
  const defender = await openDefender(redis.url, { limit, windowMs }, startSimulator);
  const sink = await startCallSink();
  const intake = await startIntake(redis.url, [], defender.quotaEnv);
  const workers = await Promise.all([1, 2, 3].map(() => startWorker(defender.workerEnv)));
  const batch = { ...targetOf(intake), paths: ['/v1/batches'], connections: 1, durationMs: 0, times: 1 };
  refuseFailures(await load.run({ ...batch, post: { itemsPerBatch: calls } }));
  const naive = await startNaiveBottleneck({
    REDIS_URL: redis.url,
    ORIGIN: sink.origin,
    LIMIT: String(limit),
    WINDOW_MS: String(windowMs),
    CALLS: String(calls),
  });
  const client = new Redis(redis.url);
  const countedFrom = new Map<string, number>();
  const collect = async () => {
    const calls = await client.zrange(ledgerKeys(defender.keySpace).calls, 0, '-1', 'WITHSCORES');
    // Not known until it is answered: the latest is what counts.
    for (let i = 0; i < calls.length; i += 2) countedFrom.set(calls[i] ?? '', Number(calls[i + 1]));
  };
  const collecting = setInterval(() => void collect(), 500);
  const progress = setInterval(() => {
    void defender.control.calls().then((log) => say(`slots: ${log.calls.length} of ${calls} calls`));
  }, 15_000);
  try {
    const log = await defender.control.untilCalls(calls, (windows + 1) * windowMs * 1.5 + 10_000);
    await collect();
    const ascending = (times: Iterable<number>) => [...times].toSorted((a, b) => a - b);
    return {
      counted: ascending(countedFrom.values()),
      // By the wall clock, as the ledger's times are.
      ours: ascending(log.calls.map(({ at }) => Date.parse(at ?? ''))),
      naive: ascending(sink.times()),
    };
  } finally {
    clearInterval(progress);
    clearInterval(collecting);
    client.disconnect();
    await Promise.all([naive.stop(), intake.stop(), ...workers.map((worker) => worker.stop())]);
    await sink.close();
    await defender.close();
    await redis.stop();
  }
}

/**
 * Of the calls that the quota allowed from the first to the last: a full burst at once, and as much again with each window
 * that passed, reckoned to the millisecond, so that a call that comes late is seen at once.
 */
function usedShare(times: readonly number[]): number {
  const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return times.length / (limit * (spanMs / windowMs) + limit);
}
