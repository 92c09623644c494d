import { nameOf, type Queue } from '@diq/tenants/tenant.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';
import type { Present } from './present-tenants.ts';

/** Many tenants are removed at once: after so many queues the event loop is given back. */
const queuesAtOnce = 100;

/**
 * Removes the series of queues that are over, and of tenants all of whose queues are: neither in the settings, nor with a call
 * under way, nor with something left to be done.
 */
export function createForgetSeries({
  metrics,
  present,
  busy,
}: {
  metrics: Pick<WorkerMetrics, 'forgetQueue' | 'forgetTenant'>;
  present(): Present;
  /** Queues that are in the settings no more, and not over. */
  busy(): readonly Queue[];
}) {
  let over: Queue[] = [];

  function forgetSome(): void {
    const some = over.slice(0, queuesAtOnce);
    over = over.slice(queuesAtOnce);
    if (over.length > 0) setImmediate(forgetSome);
    const { queueNames, tenantNames } = present();
    const still = busy();
    const names = new Set(still.map(nameOf));
    const tenants = new Set(still.map(({ tenant }) => tenant));
    for (const queue of some) {
      const name = nameOf(queue);
      if (!queueNames.has(name) && !names.has(name)) metrics.forgetQueue(queue);
      const { tenant } = queue;
      if (!tenantNames.has(tenant) && !tenants.has(tenant)) metrics.forgetTenant(tenant);
    }
  }

  /** Of these queues, as soon as the event loop is free. */
  return (queues: readonly Queue[]): void => {
    if (over.length === 0 && queues.length > 0) setImmediate(forgetSome);
    over.push(...queues);
  };
}
