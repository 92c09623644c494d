import type { Express } from 'express';
import helmet from 'helmet';
import { createOpsRouter } from '@diq/runtime/http-server/ops-routes.ts';
import { opsPaths } from '@diq/runtime/http-server/request-target.ts';
import { createStrictApp } from '@diq/runtime/http-server/strict-app.ts';
import { createApiRoutes } from './routes/api-routes.ts';
import type { AppParts } from './dependencies.ts';
import { logAccess } from './http/middleware/access-log.ts';
import { observeRequests } from './http/middleware/http-metrics.ts';
import { methodNotAllowed } from './http/middleware/method-not-allowed.ts';
import { answerWithProblem, routeNotFound } from './http/middleware/problem-response.ts';
import { assignHttpRequestId } from './http/request-context.ts';
import { requireCanonicalPath } from './http/middleware/require-canonical-path.ts';
import { traceRequests } from './http/middleware/trace-requests.ts';
import { createOpenApiRoutes } from './openapi/openapi-routes.ts';
import { createRunbookRoutes } from './runbook/runbook-routes.ts';
import { createReadyCheck } from './http/ready-check.ts';
import { createStatusRoutes } from './status-page/status-routes.ts';

/** Middleware and routes in the order in which a request meets them: what is asked for most, first. */
export function createApp(parts: AppParts): Express {
  const app = createStrictApp();
  app.set('trust proxy', [...parts.trustedProxies]);

  app.use(assignHttpRequestId);
  app.use(logAccess(parts.logger));
  app.use(traceRequests(parts.tracing));
  app.use(observeRequests(parts.metrics.observeRequest));
  app.use(requireCanonicalPath);
  app.use(createApiRoutes(parts));

  app.use(helmet());

  app.use(createOpsRouter({ registry: parts.metrics.registry, ready: createReadyCheck(parts) }));
  for (const path of opsPaths) app.route(path).all(methodNotAllowed('GET'));

  app.use(createOpenApiRoutes());
  app.use(createRunbookRoutes());

  app.use(createStatusRoutes(parts));

  app.use(routeNotFound);
  app.use(answerWithProblem);
  return app;
}
