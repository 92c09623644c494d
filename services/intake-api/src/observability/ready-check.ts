import type { HealthReport } from '@diq/runtime/http-server/ops-routes.ts';
import { nameOf, type Queue } from '@diq/tenants/tenant.ts';
import { isoTime } from '../estimates/forecast-start.ts';
import type { WorkerReport } from '../estimates/queue-state.ts';
import type { QueueReach, RefusingServer } from './queue-reach.ts';

/** Who calls in a queue that was read lately; `undefined` where that is not known. */
interface QueueWorkers {
  queue: Pick<Queue, 'tenant' | 'operation'>;
  report: WorkerReport | undefined;
  /** No worker serves one that was taken out of the settings. */
  isAccepting: boolean;
}

/** Ready while Redis takes writes of some queue and the service is not stopping: one that can only read accepts nothing. */
export function createReadyCheck(options: {
  reach: () => Promise<QueueReach>;
  /** The servers that take no new work for want of memory. */
  fullServers: () => readonly RefusingServer[];
  workerReports: () => readonly QueueWorkers[];
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
        ...describeWorkers(workerReports()),
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
      return `of ${listed(queues)} Redis ${why}`;
    })
    .join('; ');
}

function listed(queues: readonly string[]): string {
  const others = queues.length - namedAtMost;
  return `${queues.slice(0, namedAtMost).join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}

const severity = { active: 0, stalled: 1, absent: 2 } as const;

/** Of the queues that are worst off. Said only where it is known; what is accepted is kept until a worker comes. */
function describeWorkers(all: readonly QueueWorkers[]): Record<string, string> {
  const known = all.flatMap(({ queue, report, isAccepting }) =>
    report && isAccepting ? { queue, report } : [],
  );
  const [worst] = known.toSorted((a, b) => severity[b.report.state] - severity[a.report.state]);
  if (!worst) return {};
  const { state, lastSeenAtMs } = worst.report;
  if (state === 'active') return { workers: 'alive' };
  const alike = known.filter(({ report }) => report.state === state);
  const which = alike.length < known.length ? `of ${listed(alike.map(({ queue }) => nameOf(queue)))} ` : '';
  if (state === 'stalled')
    return { workers: `${which}alive, but nothing is called: slots are free, work waits, no hold is on` };
  const seen = lastSeenAtMs === undefined ? 'never seen' : `last seen ${isoTime(lastSeenAtMs) ?? 'long ago'}`;
  return { workers: `${which}none is alive, ${seen}: requests are accepted and wait` };
}
