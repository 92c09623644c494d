import type { Express } from 'express';
import helmet from 'helmet';
import { createOpsRouter } from '@diq/runtime/ops-routes.ts';
import { opsPaths } from '@diq/runtime/request-target.ts';
import { createStrictApp } from '@diq/runtime/strict-app.ts';
import { createApiRoutes } from './api-routes.ts';
import type { AppParts } from './app-parts.ts';
import { logAccess } from './middleware/access-log.ts';
import { observeRequests } from './middleware/http-metrics.ts';
import { methodNotAllowed } from './middleware/method-not-allowed.ts';
import { answerWithProblem, routeNotFound } from './middleware/problem-response.ts';
import { assignRequestId } from './middleware/request-id.ts';
import { requireCanonicalPath } from './middleware/require-canonical-path.ts';
import { traceRequests } from './middleware/trace-requests.ts';
import { createOpenApiRoutes } from './openapi/openapi-routes.ts';
import { createRunbookRoutes } from './runbook/runbook-routes.ts';
import { createReadyCheck } from './ready-check.ts';
import { createStatusRoutes } from './status-page/status-routes.ts';

/** Middleware and routes in the order in which a request meets them: what is asked for most, first. */
export function createApp(parts: AppParts): Express {
  const app = createStrictApp();
  app.set('trust proxy', [...parts.trustedProxies]);

  app.use(assignRequestId);
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
