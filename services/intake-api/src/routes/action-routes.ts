import type { Router } from 'express';
import { createStrictRouter } from '@diq/runtime/http-server/strict-app.ts';
import type { AppParts } from '../dependencies.ts';
import { requireScope } from '../auth/authenticate.ts';
import { methodNotAllowed } from '../http/middleware/method-not-allowed.ts';
import { optionalJson, requireJson, singleBodyLimitBytes } from '../http/middleware/require-json.ts';
import { cancelInvestigations } from './cancel-investigations/handler.ts';
import { listAudit } from './list-audit/handler.ts';
import { moveToHead } from './move-to-head/handler.ts';
import { pauseQueue } from './pause-queue/handler.ts';
import { purgeInvestigations } from './purge-investigations/handler.ts';
import { resumeQueue } from './resume-queue/handler.ts';
import { retryInvestigation } from './retry-investigation/handler.ts';

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
