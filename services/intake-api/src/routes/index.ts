import type { Dependencies, ServiceDependencies } from '../dependencies.ts';
import type { Route, RouteDefinition } from '../http/define-route.ts';
import { cancelBatch } from './cancel-batch.ts';
import { cancelInvestigation } from './cancel-investigation.ts';
import { cancelInvestigations } from './cancel-investigations.ts';
import { changeInvestigation } from './change-investigation.ts';
import { beginEntraSignIn, endEntraSignIn } from './entra-sign-in.ts';
import { getBatch } from './get-batch.ts';
import { getInvestigationResult } from './get-investigation-result.ts';
import { getInvestigation } from './get-investigation.ts';
import { getPackage } from './get-package.ts';
import { getQuota } from './get-quota.ts';
import { getResultFile } from './get-result-file.ts';
import { listAudit } from './list-audit.ts';
import { listOperations } from './list-operations.ts';
import { listBatches } from './list-batches.ts';
import { listBatchItems } from './list-batch-items.ts';
import { listInvestigations } from './list-investigations.ts';
import { listNext } from './list-next.ts';
import { listQueues } from './list-queues.ts';
import { listTenants } from './list-tenants.ts';
import { moveToHead } from './move-to-head.ts';
import { operationsRoutes } from './operations-routes.ts';
import { createOpenApiRoutes } from './openapi.ts';
import { pauseQueue } from './pause-queue.ts';
import { purgeInvestigations } from './purge-investigations.ts';
import { resumeQueue } from './resume-queue.ts';
import { retryInvestigation } from './retry-investigation.ts';
import { retryInvestigations } from './retry-investigations.ts';
import { runbookRoutes } from './runbook.ts';
import { getSession, signIn, signOut } from './session.ts';
import { submitBatch } from './submit-batch.ts';
import { submitInvestigation } from './submit-investigation.ts';
import { watchState } from './watch-state.ts';

/** The API, in the order in which it is shown. Those about a queue are served under the path of a tenant, too. */
export const apiRoutes: readonly Route<Dependencies>[] = [
  submitInvestigation,
  listInvestigations,
  getInvestigation,
  getInvestigationResult,
  getPackage,
  getResultFile,
  changeInvestigation,
  cancelInvestigation,
  cancelInvestigations,
  retryInvestigations,
  purgeInvestigations,
  moveToHead,
  retryInvestigation,
  submitBatch,
  listBatches,
  getBatch,
  listBatchItems,
  cancelBatch,
  listTenants,
  listQueues,
  listOperations,
  getQuota,
  listNext,
  watchState,
  pauseQueue,
  resumeQueue,
  listAudit,
];

/** How people sign in to the status page. Its data are those of the API. */
export const sessionRoutes: readonly Route<ServiceDependencies>[] = [
  getSession,
  signIn,
  signOut,
  beginEntraSignIn,
  endEntraSignIn,
];

/** What is there to be read, in no need of a credential. */
export const documentRoutes: readonly Route<unknown>[] = [
  ...createOpenApiRoutes(() => definitions),
  ...runbookRoutes,
];

export { operationsRoutes };

/** What the OpenAPI document names, in the order in which it is shown. */
export const definitions: readonly RouteDefinition[] = [
  ...apiRoutes,
  ...operationsRoutes,
  ...documentRoutes,
].flatMap(({ definition }) => definition ?? []);
