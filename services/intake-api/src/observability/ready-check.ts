import type { HealthReport } from '@diq/runtime/http-server/ops-routes.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import { isoTime } from '../estimates/forecast-start.ts';
import type { WorkerReport } from '../estimates/queue-state.ts';
import type { QueueReach, RefusingServer } from './queue-reach.ts';

/** Ready while Redis takes writes of some queue and the service is not stopping: one that can only read accepts nothing. */
export function createReadyCheck(options: {
  reach: () => Promise<QueueReach>;
  /** The servers that take no new work for want of memory. */
  fullServers: () => readonly RefusingServer[];
  /** Of the queues that were read lately, who calls; `undefined` where that is not known. */
  workerReports: () => readonly {
    queue: Pick<Queue, 'tenant' | 'operation'>;
    report: WorkerReport | undefined;
  }[];
  closing: AbortSignal;
}) {
  const { reach, fullServers, workerReports, closing } = options;
  return async (): Promise<HealthReport> => {
    if (closing.aborted) return { ok: false, checks: { service: 'is being stopped' } };
    const { served, refused } = await reach();
    const [first] = refused;
    if (served === 0 && first) return { ok: false, checks: { redis: first.why } };
    const full = fullServers();
    // Still ready: it answers what is asked, and takes what frees memory, such as cancelling.
    return {
      ok: true,
      checks: {
        redis: 'takes writes',
        ...(first ? { queues: describeServers(refused) } : {}),
        ...describeWorkers(worstOf(workerReports())),
        ...(full.length === 0 ? {} : { memory: describeServers(full) }),
      },
    };
  };
}

const namedAtMost = 10;

function describeServers(servers: readonly RefusingServer[]): string {
  return servers
    .map(({ why, queues }) => {
      if (queues.length === 0) return `Redis ${why}`;
      const others = queues.length - namedAtMost;
      const named = queues.slice(0, namedAtMost).join(', ');
      return `of ${named}${others > 0 ? ` and ${others} more` : ''} Redis ${why}`;
    })
    .join('; ');
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
