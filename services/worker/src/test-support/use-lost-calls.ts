import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { newMachineId, openBench, type Bench } from './open-bench.ts';
import type { TestWorker } from './open-test-worker.ts';
import type { TestWorkerOptions } from './test-worker-parts.ts';
import { useSimulator, type SimulatorSuite } from './use-simulator.ts';

/** A call that was made and is being looked up. */
export interface LostCall {
  readonly worker: TestWorker;
  readonly requestId: string;
  readonly taskId: string;
  readonly callId: string;
  readonly machineId: string;
  readonly sentAtMs: number;
}

export interface LostCallSuite {
  readonly bench: Bench;
  readonly simulator: SimulatorSuite;
  openWorker(options?: Partial<TestWorkerOptions>): Promise<TestWorker>;
  /** One request whose call meets this fault, and the next calls for its machine too. */
  lose(
    action: object | undefined,
    options?: Partial<TestWorkerOptions>,
    times?: number,
    machineId?: string,
  ): Promise<LostCall>;
  /** Makes the call again that was given back, whatever hold is on. */
  serveAgain(lost: LostCall): Promise<void>;
  /** Looks whenever a look is due, until this is so. */
  lookUntil(lost: LostCall, isSo: () => Promise<boolean>): Promise<void>;
  /** Looks until there is a verdict. @returns the request then */
  untilOver(lost: LostCall): Promise<RequestDocument>;
  /** How long ago the call was made, on the clock of Redis. */
  ageOf(lost: LostCall): Promise<number>;
  readsOf(machineId: string): Promise<string[]>;
}

/** Call inside a `describe`: a key space for each test, in front of a simulator process. */
export function useLostCalls(
  redis: { readonly url: string },
  env: Record<string, string> = {},
): LostCallSuite {
  // All tests of a suite read from one simulator, more than Defender lets one application read in a minute.
  const simulator = useSimulator({ SIMULATOR_READS_PER_MINUTE: '10000', ...env });
  let bench: Bench;
  beforeEach('open a key space', async () => {
    bench = await openBench(redis.url);
  });
  afterEach('close workers', () => bench.close());

  const openWorker: LostCallSuite['openWorker'] = (options = {}) =>
    bench.openWorker({ ...simulator.workerOptions, ...options });

  const suite: LostCallSuite = {
    get bench() {
      return bench;
    },
    simulator,
    openWorker,
    async lose(action, options, times = 1, machineId = newMachineId()) {
      if (action) await simulator.addFault({ target: 'start', times, when: { machineId }, action });
      // Short only where it is what ends the call: an answer that is slow to come on a busy machine is another fault.
      const isSilent = action !== undefined && 'kind' in action && action.kind === 'hang';
      const worker = await openWorker({ ...(isSilent && { callTimeoutMs: 300 }), ...options });
      const accepted = await bench.accept({ machineId });
      await bench.endHolds();
      await worker.serveNext();
      const { callId = '', sentAtMs = 0, state } = await worker.find(accepted.taskId);
      if (state !== 'reconciling') throw new Error(`the call came to "${state}"`);
      return { worker, ...accepted, callId, machineId, sentAtMs };
    },
    async serveAgain({ worker }) {
      await bench.endHolds();
      await worker.serveNext();
    },
    async lookUntil({ worker }, isSo) {
      const lookAndTell = async () => {
        await worker.reconciler.queryDue();
        return isSo();
      };
      await waitFor(lookAndTell, { what: 'what the looks should lead to', timeoutMs: 10_000 });
    },
    async untilOver(lost) {
      const isOver = async () => (await bench.read(lost.requestId)).status !== 'dispatching';
      await suite.lookUntil(lost, isOver);
      return bench.read(lost.requestId);
    },
    ageOf: async ({ worker, sentAtMs }) => (await worker.ledger.snapshot()).nowMs - sentAtMs,
    async readsOf(machineId) {
      const reads = await simulator.reads();
      return reads.filter(({ url }) => url.includes(machineId)).map(({ read }) => read);
    },
  };
  return suite;
}
