import { describeRedisTrouble } from '@diq/redis/is-unavailable.ts';
import type { HealthReport } from '@diq/runtime/http-server/ops-routes.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import { isoTime } from '../estimates/forecast-start.ts';
import type { WorkerReport } from '../estimates/queue-state.ts';

/** Ready while Redis takes writes and the service is not stopping: one that can only read accepts nothing. */
export function createReadyCheck(options: {
  /** Rejects while Redis takes no writes. */
  probeWrite: () => Promise<void>;
  /** Why new work is refused, where it is for want of memory. */
  describeMemory: () => string | undefined;
  /** Of the queues that were read lately, who calls; `undefined` where that is not known. */
  workerReports: () => readonly {
    queue: Pick<Queue, 'tenant' | 'operation'>;
    report: WorkerReport | undefined;
  }[];
  closing: AbortSignal;
}) {
  const { probeWrite, describeMemory, workerReports, closing } = options;
  return async (): Promise<HealthReport> => {
    if (closing.aborted) return { ok: false, checks: { service: 'is being stopped' } };
    try {
      await probeWrite();
      const memory = describeMemory();
      // Still ready: it answers what is asked, and takes what frees memory, such as cancelling.
      return {
        ok: true,
        checks: {
          redis: 'takes writes',
          ...describeWorkers(worstOf(workerReports())),
          ...(memory === undefined ? {} : { memory }),
        },
      };
    } catch (error) {
      return { ok: false, checks: { redis: describeRedisTrouble(error) } };
    }
  };
}

/** The report of the queue that is worst off. */
function worstOf(reports: readonly { report: WorkerReport | undefined }[]): WorkerReport | undefined {
  const known = reports.flatMap(({ report }) => report ?? []);
  return known.toSorted((a, b) => severity[b.state] - severity[a.state])[0];
}

const severity = { active: 0, stalled: 1, absent: 2 } as const;

/** Said only where something is wrong or known to be well; what is accepted is kept until a worker comes. */
function describeWorkers(report: WorkerReport | undefined): Record<string, string> {
  if (!report) return {};
  const { state, lastSeenAtMs } = report;
  if (state === 'active') return { workers: 'alive' };
  if (state === 'stalled')
    return { workers: 'alive, but nothing is called: slots are free, work waits, no hold is on' };
  const seen = lastSeenAtMs === undefined ? 'never seen' : `last seen ${isoTime(lastSeenAtMs) ?? 'long ago'}`;
  return { workers: `none is alive, ${seen}: requests are accepted and wait` };
}
