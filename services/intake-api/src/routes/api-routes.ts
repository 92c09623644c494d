import type { Router } from 'express';
import { createStrictRouter } from '@diq/runtime/http-server/strict-app.ts';
import type { AppParts } from '../dependencies.ts';
import { authenticate, letEverybodyIn, requireScope } from '../auth/authenticate.ts';
import { guardData } from '../http/middleware/guard-data.ts';
import { idempotent } from '../submission/idempotency.ts';
import { methodNotAllowed } from '../http/middleware/method-not-allowed.ts';
import { noStore } from '../http/middleware/no-store.ts';
import { batchBodyLimitBytes, requireJson, singleBodyLimitBytes } from '../http/middleware/require-json.ts';
import { createOwnSite } from '../auth/require-own-site.ts';
import { createActionRoutes } from './action-routes.ts';
import { cancelBatch } from './cancel-batch/handler.ts';
import { cancelInvestigation } from './cancel-investigation/handler.ts';
import { changeInvestigation } from './change-investigation/handler.ts';
import { getBatch } from './get-batch/handler.ts';
import { getInvestigation } from './get-investigation/handler.ts';
import { getInvestigationResult } from './get-investigation-result/handler.ts';
import { getQuota } from './get-quota/handler.ts';
import { listBatchItems } from './list-batch-items/handler.ts';
import { listInvestigations } from './list-investigations/handler.ts';
import { submitBatch } from './submit-batch/handler.ts';
import { submitInvestigation } from './submit-investigation/handler.ts';
import { watchState } from './watch-state/handler.ts';

/** `/v1`: who is let in and how often, then the routes. */
export function createApiRoutes(parts: AppParts): Router {
  const router = createStrictRouter();
  const { identify, failedCredentials, sessions } = parts;
  const ownSite = createOwnSite(parts.hostNames);
  router.use(
    '/v1',
    guardData,
    noStore,
    // Who has no credential cannot be told from a page whose name leads here.
    ...(identify ? [] : [ownSite.requireOwnHost]),
    ownSite.refuseForeignPages,
    identify ? authenticate(identify, failedCredentials, sessions) : letEverybodyIn,
  );
  if (parts.limitRate) router.use('/v1', parts.limitRate);
  const submit = requireScope('submit');
  const read = requireScope('read');
  const once = idempotent(parts.idempotency, parts.closing);

  router.use(createActionRoutes(parts));
  router
    .route('/v1/batches')
    .post(submit, requireJson(batchBodyLimitBytes, parts.bodyBudget), once, submitBatch(parts))
    .all(methodNotAllowed('POST'));
  router
    .route('/v1/batches/:id')
    .get(read, getBatch(parts))
    .delete(submit, cancelBatch(parts))
    .all(methodNotAllowed('GET', 'DELETE'));
  router.route('/v1/batches/:id/items').get(read, listBatchItems(parts)).all(methodNotAllowed('GET'));
  router
    .route('/v1/investigations')
    .get(read, listInvestigations(parts))
    .post(submit, requireJson(singleBodyLimitBytes, parts.bodyBudget), once, submitInvestigation(parts))
    .all(methodNotAllowed('GET', 'POST'));
  router
    .route('/v1/investigations/:id')
    .get(read, getInvestigation(parts))
    .patch(submit, requireJson(singleBodyLimitBytes, parts.bodyBudget), changeInvestigation(parts))
    .delete(submit, cancelInvestigation(parts))
    .all(methodNotAllowed('GET', 'PATCH', 'DELETE'));
  router
    .route('/v1/investigations/:id/result')
    .get(read, getInvestigationResult(parts))
    .all(methodNotAllowed('GET'));
  router.route('/v1/quota').get(read, getQuota(parts)).all(methodNotAllowed('GET'));
  router.route('/v1/events').get(read, watchState(parts)).all(methodNotAllowed('GET'));
  return router;
}
