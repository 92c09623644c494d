import type { Router } from 'express';
import { createStrictRouter } from '@diq/runtime/strict-app.ts';
import type { AppParts } from './app-parts.ts';
import { requireScope } from './middleware/authenticate.ts';
import { methodNotAllowed } from './middleware/method-not-allowed.ts';
import { optionalJson, requireJson, singleBodyLimitBytes } from './middleware/require-json.ts';
import { cancelInvestigations } from './routes/cancel-investigations/handler.ts';
import { listAudit } from './routes/list-audit/handler.ts';
import { moveToHead } from './routes/move-to-head/handler.ts';
import { pauseQueue } from './routes/pause-queue/handler.ts';
import { purgeInvestigations } from './routes/purge-investigations/handler.ts';
import { resumeQueue } from './routes/resume-queue/handler.ts';
import { retryInvestigation } from './routes/retry-investigation/handler.ts';

/** Bulk cancel, and what only operators may do. Stands before the routes that would take `cancel` or `purge` for an id. */
export function createActionRoutes(parts: AppParts): Router {
  const router = createStrictRouter();
  const admin = requireScope('admin');
  const postOnly = methodNotAllowed('POST');
  const why = optionalJson(singleBodyLimitBytes, parts.bodyBudget);

  router
    .route('/v1/investigations/cancel')
    .post(
      requireScope('submit'),
      requireJson(singleBodyLimitBytes, parts.bodyBudget),
      cancelInvestigations(parts),
    )
    .all(postOnly);
  router
    .route('/v1/investigations/purge')
    .post(admin, requireJson(singleBodyLimitBytes, parts.bodyBudget), purgeInvestigations(parts))
    .all(postOnly);
  router.route('/v1/investigations/:id/move-to-head').post(admin, why, moveToHead(parts)).all(postOnly);
  router.route('/v1/investigations/:id/retry').post(admin, why, retryInvestigation(parts)).all(postOnly);
  router
    .route('/v1/queue/pause')
    .post(admin, requireJson(singleBodyLimitBytes, parts.bodyBudget), pauseQueue(parts))
    .all(postOnly);
  router.route('/v1/queue/resume').post(admin, why, resumeQueue(parts)).all(postOnly);
  router.route('/v1/audit').get(admin, listAudit(parts)).all(methodNotAllowed('GET'));
  return router;
}
