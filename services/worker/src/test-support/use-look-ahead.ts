import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { createJobRepositioning } from '@diq/queue/scheduling/job-queue.ts';
import { createNameStore } from '@diq/queue/tasks/name-store.ts';
import { createLookStore } from '@diq/queue/tasks/look-store.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import type { ReadBudget } from '@diq/quota/reads/read-budget.ts';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import { createDefenderReader, type DefenderReader } from '../defender/defender-reader.ts';
import { createNameLookup } from '../look-ahead/name-lookup.ts';
import { createLookAhead, type LookAhead } from '../look-ahead/look-ahead.ts';
import { captureLog } from './capture-log.ts';
import { hourMs, view } from './loop-world.ts';
import { openBench, type Bench } from './open-bench.ts';
import type { TestWorker } from './open-test-worker.ts';
import { createTestMetrics, type TestMetrics } from './test-metrics.ts';
import { unlimitedReads } from './unlimited-reads.ts';
import { useSimulator, type SimulatorSuite } from './use-simulator.ts';

export interface LookAheadOfTest {
  operation?: OperationName;
  budget?: ReadBudget;
  reserve?: number;
}

/** A key space for each test, in front of a simulator process. */
export interface LookAheadSuite {
  readonly bench: Bench;
  readonly simulator: SimulatorSuite;
  readonly worker: TestWorker;
  readonly metrics: TestMetrics;
  readonly logLines: string[];
  open(options?: LookAheadOfTest): LookAhead;
  /** One look of a worker of its own at a queue in which so many slots are free, from its begin to its end. */
  look(options?: LookAheadOfTest & { slots?: number; offline?: number }): Promise<void>;
  /** As when the tenant is left. */
  closeReaders(): Promise<void>;
  /** One look-up of names of a worker of its own, from its begin to its end. */
  lookUpNames(options?: { budget?: ReadBudget; maxJoined?: number }): Promise<void>;
  /** Reads that arrived since the test began, by route, in the order of their names. */
  reads(): Promise<string[]>;
}

/** A ledger in which so many calls can be made at once. */
export function freeSlotsView(slots: number): LedgerSnapshot {
  return { ...view(), limits: oneLimit(slots, hourMs, []) };
}

/** Call inside a `describe`. */
export function useLookAhead(
  redis: { readonly url: string },
  env: Record<string, string> = {},
): LookAheadSuite {
  const simulator = useSimulator({ SIMULATOR_READS_PER_MINUTE: '10000', ...env });
  const closers: (() => Promise<unknown>)[] = [];
  let bench: Bench;
  let worker: TestWorker;
  let metrics: TestMetrics;
  let tokens: TokenProvider;
  let log: ReturnType<typeof captureLog>;
  let readsBefore = 0;

  beforeEach('open a key space', async () => {
    bench = await openBench(redis.url);
    worker = await bench.openWorker(simulator.workerOptions);
    metrics = createTestMetrics();
    tokens = simulator.createTokens(() => undefined);
    log = captureLog();
    readsBefore = (await simulator.reads()).length;
  });
  afterEach('close workers', async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await tokens.close();
    await bench.close();
  });

  function readerOf(budget: ReadBudget): DefenderReader {
    const connect = { ca: simulator.ca };
    const reader = createDefenderReader({ budget, baseUrl: simulator.origin, timeoutMs: 5_000, connect });
    closers.push(() => reader.close());
    return reader;
  }

  function open({
    operation = 'initiateInvestigation',
    budget = unlimitedReads,
    reserve = 0,
  }: LookAheadOfTest = {}) {
    const { tasks, jobs } = worker;
    return createLookAhead({
      looks: createLookStore(bench.redis, bench.keySpace, hourMs),
      tasks,
      jobs,
      reader: readerOf(budget),
      tokens,
      profile: profileOf(operation),
      reserve,
      logger: log.logger,
      metrics,
      onEnded: () => undefined,
    });
  }

  return {
    get bench() {
      return bench;
    },
    simulator,
    get worker() {
      return worker;
    },
    get metrics() {
      return metrics;
    },
    get logLines() {
      return log.lines;
    },
    open,
    async look({ slots = 5, offline = 0, ...options } = {}) {
      const lookAhead = open(options);
      lookAhead.attend(freeSlotsView(slots), { ready: 1, offline });
      await lookAhead.close();
    },
    async lookUpNames({ budget = unlimitedReads, maxJoined } = {}) {
      const { tasks, jobs } = worker;
      const lookup = createNameLookup({
        names: createNameStore(bench.redis, bench.keySpace, {
          retentionMs: hourMs,
          ...(maxJoined !== undefined && { maxJoined }),
        }),
        looks: createLookStore(bench.redis, bench.keySpace, hourMs),
        tasks,
        jobs,
        reposition: createJobRepositioning(bench.redis, bench.keySpace, jobs),
        reader: readerOf(budget),
        tokens,
        logger: log.logger,
        metrics,
      });
      lookup.attend(1);
      await lookup.close();
    },
    async closeReaders() {
      await Promise.all(closers.map((close) => close()));
    },
    async reads() {
      const reads = (await simulator.reads()).slice(readsBefore);
      return reads.map(({ read }) => read).toSorted();
    },
  };
}
