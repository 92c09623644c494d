import type { Router } from 'express';
import { createStrictRouter } from '@diq/runtime/http-server/strict-app.ts';
import type { AppParts } from '../dependencies.ts';
import { requireScope } from '../auth/authenticate.ts';
import { methodNotAllowed } from '../http/middleware/method-not-allowed.ts';
import { noStore } from '../http/middleware/no-store.ts';
import { requireJson } from '../http/middleware/require-json.ts';
import { getSession } from '../routes/get-session/handler.ts';
import { identifyKey, signIn } from '../routes/sign-in/handler.ts';
import { signOut } from '../routes/sign-out/handler.ts';
import { createOwnSite } from '../auth/require-own-site.ts';
import { createPageFiles } from './page-files.ts';

const signInBodyLimitBytes = 4 * 1_024;

/** The page for people, and how they sign in to it. Its data are `/v1`'s. */
export function createStatusRoutes(parts: AppParts): Router {
  const router = createStrictRouter();
  const { requireOwnHost, requireOwnOrigin } = createOwnSite(parts.hostNames);
  router.use(createPageFiles());
  const signInSteps = [
    requireOwnOrigin,
    ...requireJson(signInBodyLimitBytes, parts.bodyBudget),
    identifyKey(parts),
    ...(parts.limitRate ? [parts.limitRate] : []),
    ...(parts.identify ? [requireScope('read')] : []),
  ];
  router
    .route('/session')
    .all(noStore, requireOwnHost)
    .get(getSession(parts))
    .post(...signInSteps, signIn(parts))
    .delete(requireOwnOrigin, signOut(parts))
    .all(methodNotAllowed('GET', 'POST', 'DELETE'));
  return router;
}
