import type { Redis } from 'ioredis';
import { createAuditLog, type AuditLog } from '@diq/queue/operations/audit-log.ts';
import { createBulkCancel, type BulkCancel } from '@diq/queue/requests/bulk-cancel.ts';
import { createRequestList, type RequestList } from '@diq/queue/requests/list-requests.ts';
import type { MovedRequests } from '@diq/queue/tasks/task-store.ts';
import type { OrderRules } from '@diq/queue/scheduling/order.ts';
import { createPurge, type Purge } from '@diq/queue/operations/purge.ts';
import { createQueuePause, type QueuePause } from '@diq/queue/operations/queue-pause.ts';
import { createRequestActions, type RequestActions } from '@diq/queue/requests/request-actions.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';

/** What callers and operators can do to requests and to the queue, and the record of it. */
export interface QueueActions {
  list: RequestList;
  requests: RequestActions;
  bulkCancel: BulkCancel;
  purge: Purge;
  pause: QueuePause;
  audit: AuditLog;
}

interface QueueActionsOptions {
  redis: Redis;
  keySpace: string;
  jobs: JobQueue;
  order: OrderRules;
  retentionMs: number;
  auditRetentionMs: number;
  /** Called with the requests that were cancelled. */
  onMoved?: (move: MovedRequests) => void;
}

export function createQueueActions(options: QueueActionsOptions): QueueActions {
  const { redis, keySpace, auditRetentionMs: auditKeptMs } = options;
  const audit = createAuditLog(redis, keySpace, auditKeptMs);
  return {
    list: createRequestList(redis, keySpace),
    requests: createRequestActions({ ...options, auditKeptMs }),
    bulkCancel: createBulkCancel({ ...options, audit }),
    purge: createPurge({ ...options, audit }),
    pause: createQueuePause(redis, keySpace, auditKeptMs),
    audit,
  };
}
