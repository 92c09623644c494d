import type { Express, RequestHandler } from 'express';
import helmet from 'helmet';
import { createOpsRouter } from '@diq/runtime/http-server/ops-routes.ts';
import { createStrictApp } from '@diq/runtime/http-server/strict-app.ts';
import { authenticate, letEverybodyIn } from './auth/authenticate.ts';
import { createOwnSite } from './auth/require-own-site.ts';
import type { Dependencies } from './dependencies.ts';
import { createRouter, type Route } from './http/define-route.ts';
import { logAccess } from './http/middleware/access-log.ts';
import { guardData, requireCanonicalPath } from './http/middleware/guard-data.ts';
import { observeRequests } from './http/middleware/http-metrics.ts';
import { answerWithProblem, noStore, routeNotFound } from './http/middleware/problem-response.ts';
import { traceRequests } from './http/middleware/trace-requests.ts';
import { createReadyCheck } from './observability/ready-check.ts';
import { beginContext } from './http/request-context.ts';
import { apiRoutes, documentRoutes, operationsRoutes, sessionRoutes } from './routes/index.ts';
import { createPageRoutes } from './status-page/page-files.ts';
import { idempotent } from './submission/idempotency.ts';

/** Middleware and routes in the order in which a request meets them: what is asked for most, first. */
export function createApp(deps: Dependencies): Express {
  const app = createStrictApp();
  app.set('trust proxy', [...deps.trustedProxies]);
  const shared = { bodyBudget: deps.bodyBudget, once: idempotent(deps.idempotency, deps.closing) };
  const serve = (routes: readonly Route<Dependencies>[]) => createRouter(routes, deps, shared);
  const ownSite = createOwnSite(deps.hostNames);

  app.use(beginContext(deps.logger));
  app.use(logAccess(deps.logger));
  app.use(traceRequests(deps.tracing));
  app.use(observeRequests(deps.metrics.observeRequest));
  app.use(requireCanonicalPath);
  app.use('/v1', ...whoMayAsk(deps, ownSite));
  app.use(serve(apiRoutes));

  app.use(helmet());

  app.use(createOpsRouter({ registry: deps.metrics.registry, ready: createReadyCheck(deps) }));
  app.use(serve([...operationsRoutes, ...documentRoutes, ...createPageRoutes()]));
  app.route('/session').all(noStore, ownSite.requireOwnHost);
  app.use(serve(sessionRoutes));

  app.use(routeNotFound);
  app.use(answerWithProblem);
  return app;
}

/** In front of all routes of the API: who is let in, and how often. */
function whoMayAsk(
  { identify, failedCredentials, sessions, limitRate }: Dependencies,
  { requireOwnHost, refuseForeignPages }: ReturnType<typeof createOwnSite>,
): RequestHandler[] {
  return [
    guardData,
    noStore,
    // Without credentials, callers cannot be distinguished from a page of a foreign name that leads here.
    ...(identify ? [] : [requireOwnHost]),
    refuseForeignPages,
    identify ? authenticate(identify, failedCredentials, sessions) : letEverybodyIn,
    ...(limitRate ? [limitRate] : []),
  ];
}
