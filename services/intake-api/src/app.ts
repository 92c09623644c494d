import type { Express, RequestHandler } from 'express';
import helmet from 'helmet';
import { createOpsRouter } from '@diq/runtime/http-server/ops-routes.ts';
import { createStrictApp } from '@diq/runtime/http-server/strict-app.ts';
import { authenticate, letEverybodyIn } from './auth/authenticate.ts';
import { createOwnSite } from './auth/require-own-site.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { Dependencies, QueueDependencies, ServiceDependencies } from './dependencies.ts';
import { createFrontDoor } from './front-door/front-door.ts';
import { createRouter, inAllForms, type Route } from './http/define-route.ts';
import { logAccess } from './http/middleware/access-log.ts';
import { guardData, requireCanonicalPath } from './http/middleware/guard-data.ts';
import { observeRequests } from './http/middleware/http-metrics.ts';
import { answerWithProblem, noStore, routeNotFound } from './http/middleware/problem-response.ts';
import { traceRequests } from './http/middleware/trace-requests.ts';
import { beginContext } from './http/request-context.ts';
import { createChooseQueue } from './queues/choose-queue.ts';
import { apiRoutes, documentRoutes, operationsRoutes, sessionRoutes } from './routes/index.ts';
import { createPageRoutes } from './status-page/page-files.ts';
import { idempotent } from './submission/idempotency.ts';

/** Middleware and routes in the order in which a request meets them: what is asked for most, first. */
export function createApp(deps: ServiceDependencies): Express {
  const app = createStrictApp();
  app.set('trust proxy', [...deps.trustedProxies]);
  const shared = {
    bodyBudget: deps.bodyBudget,
    once: idempotent(deps.closing),
    choose: createChooseQueue(deps.directory, deps.layouts, withService(deps)),
  };
  const serve = (routes: readonly Route<ServiceDependencies>[]) => createRouter(routes, deps, shared);
  const ownSite = createOwnSite(deps.hostNames);

  app.use(beginContext(deps.logger));
  app.use(logAccess(deps.logger));
  app.use(traceRequests(deps.tracing));
  app.use(observeRequests(deps.metrics.observeRequest));
  if (deps.frontDoor) app.use(createFrontDoor(deps, deps.frontDoor, shared));
  app.use(requireCanonicalPath);
  app.use('/v1', ...whoMayAsk(deps, ownSite));
  // Their handlers work with what belongs to the queue that was chosen.
  const api = createRouter<Dependencies>(inAllForms(apiRoutes), deps as Dependencies, shared);
  app.use(api);
  if (deps.mcpRoute) {
    // Agents run in browsers, too; the session of a page is no credential of theirs.
    app.use('/mcp', ownSite.requireOwnHost, ...whoMayAsk({ ...deps, sessions: undefined }, ownSite));
    app.use(serve([deps.mcpRoute(api)]));
  }

  app.use(helmet());

  app.use(createOpsRouter({ registry: deps.metrics.registry, ready: deps.checkReady }));
  app.use(serve([...operationsRoutes, ...documentRoutes, ...createPageRoutes()]));
  app.use('/session', noStore, ownSite.requireOwnHost);
  app.use(serve(sessionRoutes));

  app.use(routeNotFound);
  app.use(answerWithProblem);
  return app;
}

/** What the routes of a queue work with, made once for each queue. */
function withService(deps: ServiceDependencies): (queue: Queue, isReading: boolean) => Dependencies {
  const made = new WeakMap<QueueDependencies, Dependencies>();
  return (queue, isReading) => {
    const parts = isReading ? deps.peekQueue(queue) : deps.askQueue(queue);
    const known = made.get(parts);
    if (known) return known;
    const all = { ...deps, ...parts };
    made.set(parts, all);
    return all;
  };
}

/** In front of all routes of the API: who is let in, and how often. */
function whoMayAsk(
  { identify, failedCredentials, sessions, limitRate }: ServiceDependencies,
  ownSite: ReturnType<typeof createOwnSite>,
): RequestHandler[] {
  return [
    guardData,
    noStore,
    // Without credentials, callers cannot be distinguished from a page of a foreign name that leads here.
    ...(identify ? [] : [ownSite.requireOwnHost]),
    ownSite.refuseForeignPages,
    identify ? authenticate(identify, failedCredentials, sessions, ownSite) : letEverybodyIn,
    ...(limitRate ? [limitRate] : []),
  ];
}
