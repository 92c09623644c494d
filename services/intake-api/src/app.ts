import express from 'express';
import type { Express } from 'express';
import helmet from 'helmet';
import { createOpsRouter } from '@diq/runtime/ops-routes.ts';
import type { AppParts } from './app-parts.ts';
import { logAccess } from './middleware/access-log.ts';
import { authenticate, letEverybodyIn, requireScope } from './middleware/authenticate.ts';
import { observeRequests } from './middleware/http-metrics.ts';
import { methodNotAllowed } from './middleware/method-not-allowed.ts';
import { noStore } from './middleware/no-store.ts';
import { answerWithProblem, routeNotFound } from './middleware/problem-response.ts';
import { assignRequestId } from './middleware/request-id.ts';
import { batchBodyLimitBytes, requireJson, singleBodyLimitBytes } from './middleware/require-json.ts';
import { createReadyCheck } from './ready-check.ts';
import { getBatch } from './routes/get-batch/handler.ts';
import { getInvestigation } from './routes/get-investigation/handler.ts';
import { getInvestigationResult } from './routes/get-investigation-result/handler.ts';
import { getQuota } from './routes/get-quota/handler.ts';
import { listBatchItems } from './routes/list-batch-items/handler.ts';
import { submitBatch } from './routes/submit-batch/handler.ts';
import { submitInvestigation } from './routes/submit-investigation/handler.ts';

/** Middleware and routes in the order in which a request meets them. */
export function createApp(parts: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  // Should answering with a problem itself fail, Express shows no stack.
  app.set('env', 'production');

  app.use(assignRequestId);
  app.use(logAccess(parts.logger));
  app.use(observeRequests(parts.metrics.observeRequest));
  app.use(helmet());

  app.use(createOpsRouter({ registry: parts.metrics.registry, ready: createReadyCheck(parts) }));
  for (const path of ['/livez', '/readyz', '/metrics']) app.all(path, methodNotAllowed('GET'));

  app.use('/v1', noStore, parts.identify ? authenticate(parts.identify) : letEverybodyIn);
  const submit = requireScope('submit');
  const read = requireScope('read');

  app
    .route('/v1/batches')
    .post(submit, requireJson(batchBodyLimitBytes), submitBatch(parts))
    .all(methodNotAllowed('POST'));
  app.route('/v1/batches/:id').get(read, getBatch(parts)).all(methodNotAllowed('GET'));
  app.route('/v1/batches/:id/items').get(read, listBatchItems(parts)).all(methodNotAllowed('GET'));
  app
    .route('/v1/investigations')
    .post(submit, requireJson(singleBodyLimitBytes), submitInvestigation(parts))
    .all(methodNotAllowed('POST'));
  app.route('/v1/investigations/:id').get(read, getInvestigation(parts)).all(methodNotAllowed('GET'));
  app
    .route('/v1/investigations/:id/result')
    .get(read, getInvestigationResult(parts))
    .all(methodNotAllowed('GET'));
  app.route('/v1/quota').get(read, getQuota(parts)).all(methodNotAllowed('GET'));

  app.use(routeNotFound);
  app.use(answerWithProblem);
  return app;
}
