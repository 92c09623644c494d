import { randomUUID } from 'node:crypto';
import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { createFlowCharging } from '@diq/queue/scheduling/charge-flows.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { createReadBudget, type ReadBudget } from '@diq/quota/reads/read-budget.ts';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import {
  closeRedis,
  openBlockingConnection,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { createReplication } from '@diq/redis/replication.ts';
import { createDefenderClient } from '../defender/defender-client.ts';
import type { TokenProvider, TokenRequestOutcome } from '../defender/auth/token-provider.ts';
import { createTaskSteps } from '../execution/task-steps.ts';
import { createTestMetrics, type TestMetrics } from './test-metrics.ts';
import { createDefenderReader } from '../defender/defender-reader.ts';
import {
  firstQueryInMs as firstLookInMsOf,
  type ReconcileRules,
} from '../reconciliation/resolution-policy.ts';
import { lookUp } from '../reconciliation/query-defender.ts';
import { createReconciler } from '../reconciliation/reconciler.ts';
import { createMachineTurns } from '../execution/machine-turns.ts';
import { createProcessJob, createSetAside } from '../execution/process-job.ts';
import { createJobClaimer } from '../scheduling/job-claimer.ts';
import { operationIn } from '@diq/contracts/operations.ts';
import { captureLog } from './capture-log.ts';

/** The window of a test worker by default. */
export const testWindowMs = 60_000;

/** The application as which test workers call. */
export const testClientId = '11111111-2222-3333-4444-555555555555';

export interface TestWorkerOptions {
  defenderUrl: string;
  /** initiateInvestigation, unless another one is named. */
  operation?: OperationName;
  createTokens(onRequest: (outcome: TokenRequestOutcome) => void): TokenProvider;
  limit?: number;
  /** One of its own, unless given. */
  budget?: ReadBudget;
  windowMs?: number;
  callTimeoutMs?: number;
  permitTimeoutMs?: number;
  lockMs?: number;
  reconcile?: ReconcileRules;
  /** For how long one look keeps others from it. */
  lookTimeoutMs?: number;
  clientId?: string;
  /** PEM that Defender's certificate is trusted by. */
  ca?: string;
}

/** The Redis and the queue that it serves. */
export interface WorkerPlace {
  url: string;
  keySpace: string;
}

export type TestWorkerParts = Awaited<ReturnType<typeof openTestWorkerParts>>;

/** On real connections of its own, with the real parts. None does anything by itself. */
export async function openTestWorkerParts(options: TestWorkerOptions & WorkerPlace) {
  const { keySpace, limit = 5, windowMs = testWindowMs, callTimeoutMs = 2_000, lockMs = 10_000 } = options;
  const permitTimeoutMs = options.permitTimeoutMs ?? callTimeoutMs + 2_000;
  const { logger, lines } = captureLog();
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const redis = await openRedis(options.url, logger);
  const quota = { limits: [{ calls: limit, windowMs }], callTimeoutMs: permitTimeoutMs };
  const ledger = createLedger(redis.ledger, keySpace, quota);
  await ledger.open();
  await ledger.endColdStart();
  const tasks = createTaskStore(redis.ledger, keySpace, 3_600_000);
  const jobs = createJobQueue(redis.ledger, keySpace, onError);
  const chargeFlows = createFlowCharging(redis.ledger, keySpace, jobs);
  const claimer = createJobClaimer({ redis: redis.queue, keySpace, lockMs, chargeFlows, onError });
  const metrics = createTestMetrics();
  const { tokens, defender, reader } = openDefender({ ...options, callTimeoutMs }, metrics, redis.ledger);
  const rules = options.reconcile ?? { graceMs: 1_000, onUnknown: 'fail' };
  const abandonCalls = new AbortController();
  const abandonRecords = new AbortController();
  const profile = profileOf(options.operation ?? 'initiateInvestigation');
  const used = {
    ledger,
    tasks,
    jobs,
    tokens,
    defender,
    metrics,
    logger,
    profile,
    wording: profile.wording,
    limit,
    windowMs,
    permitTimeoutMs,
    beginWithinMs: permitTimeoutMs,
    firstQueryInMs: firstLookInMsOf(rules.graceMs),
  };
  const turns = createMachineTurns({
    redis: redis.ledger,
    tenantId: /\{([^/]+)\//.exec(keySpace)?.[1] ?? '',
    operation: operationIn(keySpace) ?? 'initiateInvestigation',
    keySpace,
    jobs,
    isServed: () => true,
  });
  const steps = createTaskSteps({
    ...used,
    turns,
    replication: createReplication(redis.ledger, keySpace, 0),
    abandonCalls: abandonCalls.signal,
    abandonRecords: abandonRecords.signal,
  });

  const reconciler = createReconciler({
    ...used,
    lookUp: (call) => lookUp(call, { reader, tokens, records: profile.records }),
    rules,
    clientId: options.clientId ?? testClientId,
    lookTimeoutMs: options.lookTimeoutMs ?? 30_000,
  });

  return {
    ...used,
    reconciler,
    keySpace,
    quota,
    redis,
    claimer,
    steps,
    abandonCalls,
    errors,
    onError,
    logLines: lines,
    processJob: createProcessJob({
      tasks,
      steps,
      aside: createSetAside({ ledger, tasks, jobs }),
      logger,
    }),
    async close() {
      abandonRecords.abort();
      reconciler.close();
      await reader.close();
      await defender.close();
      await tokens.close();
      await claimer.close();
      await jobs.close();
      await Promise.all(Object.values(redis).map((connection) => closeRedis(connection)));
    },
  };
}

async function openRedis(url: string, logger: Logger) {
  const redis = {
    ledger: openFailFastConnection({ address: parseRedisUrl(url), name: 'test-ledger', logger }),
    limiter: openFailFastConnection({ address: parseRedisUrl(url), name: 'test-limiter', logger }),
    queue: openBlockingConnection({ address: parseRedisUrl(url), name: 'test-queue', logger }),
    wakes: openFailFastConnection({ address: parseRedisUrl(url), name: 'test-wakes', logger }),
  };
  await Promise.all(Object.values(redis).map((connection) => waitUntilReady(connection, 2_000)));
  return redis;
}

function openDefender(
  options: TestWorkerOptions & { callTimeoutMs: number },
  metrics: TestMetrics,
  redis: RedisConnection,
) {
  const { defenderUrl, callTimeoutMs, ca, operation = 'initiateInvestigation' } = options;
  const limits = [{ calls: 1_000, windowMs: 60_000 }];
  const ownReads = { redis, tenantId: randomUUID(), limits, timeoutMs: 10_000 };
  const { budget = createReadBudget(ownReads) } = options;
  const address = { baseUrl: defenderUrl, ...(ca !== undefined && { connect: { ca } }) };
  return {
    tokens: options.createTokens((outcome) => metrics.tokenRequests.inc({ outcome })),
    defender: createDefenderClient({ ...address, callTimeoutMs, profile: profileOf(operation) }),
    // On a busy machine too, Defender cannot be read only where the test says so.
    reader: createDefenderReader({ ...address, budget, timeoutMs: 10_000 }),
  };
}
