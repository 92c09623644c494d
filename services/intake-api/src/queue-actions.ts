import type { RedisConnection } from '@diq/redis/connection.ts';
import { createAuditLog } from '@diq/queue/operations/audit-log.ts';
import { createBatchList } from '@diq/queue/batches/list-batches.ts';
import { createBulkCancel } from '@diq/queue/requests/bulk-cancel.ts';
import { createBulkRetry } from '@diq/queue/requests/bulk-retry.ts';
import { createRequestList } from '@diq/queue/requests/list-requests.ts';
import type { MovedRequests } from '@diq/queue/tasks/task-store.ts';
import type { OrderRules } from '@diq/queue/scheduling/order.ts';
import { createPurge } from '@diq/queue/operations/purge.ts';
import { createQueuePause } from '@diq/queue/operations/queue-pause.ts';
import { createRequestActions } from '@diq/queue/requests/request-actions.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';

/** What callers and operators can do to requests and to the queue, and the record of it. */
export type QueueActions = ReturnType<typeof createQueueActions>;

export function createQueueActions(options: {
  redis: RedisConnection;
  keySpace: string;
  jobs: JobQueue;
  order: OrderRules;
  retentionMs: number;
  auditRetentionMs: number;
  /** Called with the requests that were cancelled. */
  onMoved?: (move: MovedRequests) => void;
}) {
  const { redis, keySpace, auditRetentionMs: auditKeptMs } = options;
  const audit = createAuditLog(redis, keySpace, auditKeptMs);
  return {
    list: createRequestList(redis, keySpace),
    batches: createBatchList(redis, keySpace),
    requests: createRequestActions({ ...options, auditKeptMs }),
    bulkCancel: createBulkCancel({ ...options, audit }),
    bulkRetry: createBulkRetry({ ...options, audit }),
    purge: createPurge({ ...options, audit }),
    pause: createQueuePause(redis, keySpace, auditKeptMs),
    audit,
  };
}
