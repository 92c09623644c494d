import express from 'express';
import type { Express } from 'express';
import helmet from 'helmet';
import { createOpsRouter } from '@diq/runtime/ops-routes.ts';
import type { AppParts } from './app-parts.ts';
import { logAccess } from './middleware/access-log.ts';
import { authenticate, letEverybodyIn, requireScope } from './middleware/authenticate.ts';
import { observeRequests } from './middleware/http-metrics.ts';
import { idempotent } from './middleware/idempotency.ts';
import { methodNotAllowed } from './middleware/method-not-allowed.ts';
import { noStore } from './middleware/no-store.ts';
import { answerWithProblem, routeNotFound } from './middleware/problem-response.ts';
import { assignRequestId } from './middleware/request-id.ts';
import { traceRequests } from './middleware/trace-requests.ts';
import { batchBodyLimitBytes, requireJson, singleBodyLimitBytes } from './middleware/require-json.ts';
import { createLeverRoutes } from './lever-routes.ts';
import { createOpenApiRoutes } from './openapi/openapi-routes.ts';
import { createReadyCheck } from './ready-check.ts';
import { cancelBatch } from './routes/cancel-batch/handler.ts';
import { cancelInvestigation } from './routes/cancel-investigation/handler.ts';
import { changeInvestigation } from './routes/change-investigation/handler.ts';
import { getBatch } from './routes/get-batch/handler.ts';
import { getInvestigation } from './routes/get-investigation/handler.ts';
import { getInvestigationResult } from './routes/get-investigation-result/handler.ts';
import { getQuota } from './routes/get-quota/handler.ts';
import { listBatchItems } from './routes/list-batch-items/handler.ts';
import { listInvestigations } from './routes/list-investigations/handler.ts';
import { submitBatch } from './routes/submit-batch/handler.ts';
import { submitInvestigation } from './routes/submit-investigation/handler.ts';
import { watchState } from './routes/watch-state/handler.ts';
import { createStatusRoutes } from './status-page/status-routes.ts';

/** Middleware and routes in the order in which a request meets them. */
export function createApp(parts: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  // Should answering with a problem itself fail, Express shows no stack.
  app.set('env', 'production');
  app.set('trust proxy', parts.trustedProxies);

  app.use(assignRequestId);
  app.use(logAccess(parts.logger));
  app.use(traceRequests(parts.tracing));
  app.use(observeRequests(parts.metrics.observeRequest));
  app.use(helmet());

  app.use(createOpsRouter({ registry: parts.metrics.registry, ready: createReadyCheck(parts) }));
  for (const path of ['/livez', '/readyz', '/metrics']) app.route(path).all(methodNotAllowed('GET'));

  app.use(createOpenApiRoutes());

  app.use(createStatusRoutes(parts));
  const { identify, failedCredentials, sessions } = parts;
  app.use('/v1', noStore, identify ? authenticate(identify, failedCredentials, sessions) : letEverybodyIn);
  if (parts.limitRate) app.use('/v1', parts.limitRate);
  const submit = requireScope('submit');
  const read = requireScope('read');
  const once = idempotent(parts.idempotency, parts.closing);

  app.use(createLeverRoutes(parts));
  app
    .route('/v1/batches')
    .post(submit, requireJson(batchBodyLimitBytes), once, submitBatch(parts))
    .all(methodNotAllowed('POST'));
  app
    .route('/v1/batches/:id')
    .get(read, getBatch(parts))
    .delete(submit, cancelBatch(parts))
    .all(methodNotAllowed('GET', 'DELETE'));
  app.route('/v1/batches/:id/items').get(read, listBatchItems(parts)).all(methodNotAllowed('GET'));
  app
    .route('/v1/investigations')
    .get(read, listInvestigations(parts))
    .post(submit, requireJson(singleBodyLimitBytes), once, submitInvestigation(parts))
    .all(methodNotAllowed('GET', 'POST'));
  app
    .route('/v1/investigations/:id')
    .get(read, getInvestigation(parts))
    .patch(submit, requireJson(singleBodyLimitBytes), changeInvestigation(parts))
    .delete(submit, cancelInvestigation(parts))
    .all(methodNotAllowed('GET', 'PATCH', 'DELETE'));
  app
    .route('/v1/investigations/:id/result')
    .get(read, getInvestigationResult(parts))
    .all(methodNotAllowed('GET'));
  app.route('/v1/quota').get(read, getQuota(parts)).all(methodNotAllowed('GET'));
  app.route('/v1/events').get(read, watchState(parts)).all(methodNotAllowed('GET'));

  app.use(routeNotFound);
  app.use(answerWithProblem);
  return app;
}
