import type { RequestHandler } from 'express';
import type { ItemRules } from '@diq/contracts/investigation-item.ts';
import type { RequestIntake } from '@diq/queue/admission/accept-requests.ts';
import type { IdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import type { RequestReader } from '@diq/queue/requests/request-reader.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Tracing } from '@diq/runtime/tracing/tracing.ts';
import type { FailedCredentials } from './auth/brute-force-guard.ts';
import type { IdentifyCaller } from './auth/api-keys.ts';
import type { BodyBudget } from './http/body-budget.ts';
import type { CallbackRule } from './callbacks/callback-rule.ts';
import type { ForecastCompletion } from './estimates/batch-completion.ts';
import type { DescribeRequest } from './views/request-view.ts';
import type { QueueActions } from './queue-actions.ts';
import type { IntakeMetrics } from './observability/metrics.ts';
import type { DeadlineCheck } from './submission/deadline-check.ts';
import type { QueueState, WorkerReport } from './estimates/queue-state.ts';
import type { SessionStore } from './auth/session-store.ts';
import type { StateFeed } from './live-state/state-feed.ts';

/** What the routes are made of. */
export interface Dependencies {
  logger: Logger;
  metrics: IntakeMetrics;
  tracing: Tracing;
  /** `undefined`: everybody is let in. */
  identify: IdentifyCaller | undefined;
  failedCredentials: FailedCredentials;
  /** Proxies in front of the service, whose `X-Forwarded-For` tells a caller's address. */
  trustedProxies: readonly string[];
  /** Under which browsers and proxies reach the service, see `require-own-site.ts`. */
  hostNames: readonly string[];
  /** `undefined`: callers may come as often as they like. */
  limitRate: RequestHandler | undefined;
  /** Who is signed in to the status page; `undefined` where everybody is let in. */
  sessions: SessionStore | undefined;
  stateFeed: StateFeed;
  /** What bodies may take in all. */
  bodyBudget: BodyBudget;
  idempotency: IdempotencyStore;
  intake: RequestIntake;
  reader: RequestReader;
  actions: QueueActions;
  /** Quota and backlog as they are. */
  readState: () => Promise<QueueState>;
  /** Who calls, as of the last reading; `undefined` where there was none lately. */
  workerReport: () => WorkerReport | undefined;
  describeRequest: DescribeRequest;
  forecastCompletion: ForecastCompletion;
  deadlineCheck: DeadlineCheck;
  /** Which URLs may be called back. */
  callbackRule: CallbackRule;
  operation: string;
  /** What items are checked by. */
  itemRules: ItemRules;
  /** Rejects while Redis takes no writes. */
  probeWrite: () => Promise<void>;
  /** Why new work is refused, where it is for want of memory. */
  describeMemory: () => string | undefined;
  /** Aborted once the service is being stopped. */
  closing: AbortSignal;
}
