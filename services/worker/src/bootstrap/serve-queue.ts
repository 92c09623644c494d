import { nameOf, queuesOf, type Queue } from '@diq/tenants/tenant.ts';
import type { OutageLog } from '../observability/outage-log.ts';
import type { IdleQueues } from '../scheduling/idle-queues.ts';
import type { LookScheduler } from '../scheduling/look-scheduler.ts';
import { createServedQueue, type ServedQueue } from '../scheduling/served-queue.ts';
import { openQueue } from './open-queue.ts';
import type { OpenTenant } from './open-tenant.ts';
import type { WorkerParts } from './open-worker.ts';
import type { OpenQueueOptions } from './queue-parts.ts';

export interface ServeQueueOptions
  extends WorkerParts, Pick<OpenQueueOptions, 'redis' | 'limiters' | 'processId' | 'signals'> {
  scheduler: LookScheduler;
  idle: IdleQueues;
  longestMs: OpenQueueOptions['longestMs'];
  isServed: OpenQueueOptions['isServed'];
  /** Of the sweeps over all queues. */
  sweeping: OutageLog;
}

/** A queue, served: wakes name it by its key space. */
export type Served = ServedQueue & Queue;

/** Serves a queue, which is opened when it has work. */
export function serveQueue(queue: Queue, openTenantOf: () => OpenTenant, options: ServeQueueOptions): Served {
  const { scheduler, idle, sweeping, fail, config } = options;
  const logger = options.logger.child({ tenant: queue.tenant, operation: queue.operation });
  const metrics = options.metrics.ofQueue(queue);
  const isOnly = config.tenantsFile === undefined && config.tenants.flatMap(queuesOf).length === 1;
  const served: ServedQueue = createServedQueue({
    name: nameOf(queue),
    scheduler,
    idle,
    open: () =>
      openQueue({
        ...options,
        queue,
        tenant: openTenantOf(),
        logger,
        metrics,
        onServed: () => served.again(),
      }),
    logger,
    outages: sweeping,
    // Of several, the others go on.
    ...(isOnly && { onForeign: (error: Error) => fail(error, 'Redis holds another layout') }),
  });
  return { ...queue, ...served };
}
