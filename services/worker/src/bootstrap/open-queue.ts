import { keySpace as keySpaceOf, type KeySpaceOwner } from '@diq/contracts/operations.ts';
import { claimLayout, watchLayout } from '@diq/queue/layout.ts';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { createFlowCharging } from '@diq/queue/scheduling/charge-flows.ts';
import { createRequestLog } from '@diq/queue/requests/transition-log.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { createWriteProbe } from '@diq/queue/operations/write-probe.ts';
import { createLedger, type LedgerSettings } from '@diq/quota/ledger/ledger.ts';
import { createLimiterOnDemand } from '@diq/quota/limiter/limiter-on-demand.ts';
import { openLimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { ServiceContext } from '@diq/runtime/processes/run-service.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import { untilRedisServes, type WorkerRedis } from './open-redis.ts';
import { createMoveLog } from '../observability/transition-log.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createJobClaimer } from '../scheduling/job-claimer.ts';

export interface OpenQueueOptions {
  redis: WorkerRedis;
  owner: KeySpaceOwner;
  /** `callTimeoutMs` as the ledger counts it: from spending a permit until its call is over. */
  quota: LedgerSettings;
  retentionMs: number;
  logger: Logger;
  lifecycle: Lifecycle;
  /** Ends the process because of an error from which it cannot recover. */
  fail: ServiceContext['fail'];
}

/** While Redis is away, a clean disconnect is not worth more time. */
const closeWithinMs = 1_000;

/** Opens ledger, limiter, tasks and jobs: everything that is stored in Redis. */
export async function openQueue(options: OpenQueueOptions) {
  const { redis, owner, quota, retentionMs, logger, lifecycle, fail } = options;
  const keySpace = keySpaceOf(owner);
  const limiterOutage = createOutageLog(logger, 'the permit limiter');
  const queueOutage = createOutageLog(logger, 'the job queue');
  await untilRedisServes(() => claimLayout(redis.ledger, keySpace), logger, lifecycle.closing);
  watchLayout(redis.ledger, keySpace, (error) => fail(error, 'Redis holds another layout'));
  const ledger = createLedger(redis.ledger, keySpace, quota);
  const connection = openLimiterConnection(redis.limiter, limiterOutage.failed);
  lifecycle.onClose('connection of the permit limiters', () => connection.close());
  const limiter = createLimiterOnDemand({ ...quota, connection, keySpace, onError: limiterOutage.failed });
  lifecycle.onClose('permit limiter', () => within(limiter.close(), closeWithinMs));
  const requestLog = createRequestLog(redis.ledger, keySpace, logger);
  lifecycle.onClose('request log', () => within(requestLog.close(), closeWithinMs));
  const moveLog = createMoveLog(requestLog);
  const tasks = createTaskStore(redis.ledger, keySpace, retentionMs, moveLog.moved);
  const jobs = createJobQueue(redis.ledger, keySpace, queueOutage.failed);
  lifecycle.onClose('job queue', () => within(jobs.close(), closeWithinMs));
  const claimer = createJobClaimer({
    redis: redis.queue,
    keySpace,
    // Long enough that no call outlives its job's lock, even if the lock is never renewed.
    lockMs: 2 * quota.callTimeoutMs,
    chargeFlows: createFlowCharging(redis.ledger, keySpace, jobs),
    onError: queueOutage.failed,
  });
  lifecycle.onClose('job claimer', () => claimer.close());
  const probeWrite = createWriteProbe(redis.ledger, keySpace, { evenFull: true });
  return { ledger, limiter, tasks, moveLog, jobs, claimer, probeWrite };
}
