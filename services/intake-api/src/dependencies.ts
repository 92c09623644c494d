import type { RequestHandler } from 'express';
import type { ItemRules } from '@diq/contracts/investigation-item.ts';
import type { RequestIntake } from '@diq/queue/admission/accept-requests.ts';
import type { IdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import type { ProvisionalIds } from '@diq/queue/front-door/provisional-ids.ts';
import type { LinkExchange } from '@diq/queue/questions/link-exchange.ts';
import type { QueueFigures } from '@diq/queue/operations/queue-figures.ts';
import type { RequestReader } from '@diq/queue/requests/request-reader.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { HealthReport } from '@diq/runtime/http-server/ops-routes.ts';
import type { Tracing } from '@diq/runtime/tracing/tracing.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { EntraSignIn } from './auth/entra-sign-in.ts';
import type { FailedCredentials } from './auth/brute-force-guard.ts';
import type { IdentifyCaller } from './auth/api-keys.ts';
import type { FrontDoorParts } from './front-door/open-front-door.ts';
import type { BodyBudget } from './http/body-budget.ts';
import type { Route } from './http/define-route.ts';
import type { CallbackRule } from './callbacks/callback-rule.ts';
import type { ForecastCompletion } from './estimates/batch-completion.ts';
import type { ExplainPlace } from './views/explain-place.ts';
import type { DescribeRequest } from './views/request-view.ts';
import type { LayoutGuard } from './queues/layout-guard.ts';
import type { QueueDirectory } from './queues/queue-directory.ts';
import type { QueueActions } from './queue-actions.ts';
import type { IntakeMetrics, QueueMetrics } from './observability/metrics.ts';
import type { DeadlineCheck } from './submission/deadline-check.ts';
import type { QueueState } from './estimates/queue-state.ts';
import type { SessionStore } from './auth/session-store.ts';
import type { StateFeed } from './live-state/state-feed.ts';

/** What is the same for all queues. */
export interface ServiceDependencies {
  logger: Logger;
  metrics: Pick<IntakeMetrics, 'registry' | 'observeRequest'>;
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
  /** `undefined`: people sign in by API key alone. */
  entraSignIn: EntraSignIn | undefined;
  /** `undefined`: the front door is closed. */
  frontDoor: FrontDoorParts | undefined;
  /** The MCP endpoint, which asks these routes; `undefined`: it is closed. */
  mcpRoute: ((api: RequestHandler) => Route<object>) | undefined;
  /** What bodies may take in all. */
  bodyBudget: BodyBudget;
  /** Which URLs may be called back. */
  callbackRule: CallbackRule;
  directory: QueueDirectory;
  /** What the routes of a queue work with that change something in it: it is read again and again for a while. */
  askQueue: (queue: Queue) => QueueDependencies;
  /** The same for those that only read, after which it is left alone as before. */
  peekQueue: (queue: Queue) => QueueDependencies;
  /** Keeps this version out of queues that another version holds. */
  layouts: LayoutGuard;
  /** Whether the service can do its work. */
  checkReady: () => Promise<HealthReport>;
  /** Aborted once the service is being stopped. */
  closing: AbortSignal;
}

/** What one queue's routes work with. */
export interface QueueDependencies {
  queue: Queue;
  stateFeed: StateFeed;
  countOutcomes: QueueMetrics['countOutcomes'];
  idempotency: IdempotencyStore;
  intake: RequestIntake;
  reader: RequestReader;
  actions: QueueActions;
  /** Quota and backlog as they are. */
  readState: () => Promise<QueueState>;
  /** Requests by the outcome of their result. */
  readOutcomes: () => Promise<QueueFigures['byOutcome']>;
  describeRequest: DescribeRequest;
  /** Begins to read what expected starts are reckoned from: in one round trip with what is recorded meanwhile. */
  readAhead: () => void;
  /** Why requests stand where they do, and what goes next. */
  explainPlace: ExplainPlace['explain'];
  nextCalls: ExplainPlace['nextCalls'];
  forecastCompletion: ForecastCompletion;
  deadlineCheck: DeadlineCheck;
  /** Links to what machine actions brought. */
  links: Pick<LinkExchange, 'ask'>;
  /** Ids that the front door gives out for requests. */
  provisionalIds: ProvisionalIds;
  /** What items are checked by. */
  itemRules: ItemRules;
}

/** What the routes are made of. */
export interface Dependencies extends ServiceDependencies, QueueDependencies {}
