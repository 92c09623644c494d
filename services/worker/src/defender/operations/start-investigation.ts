import { operationQuotas } from '@diq/contracts/operations.ts';
import { machineActionPath, readOpaqueId, type OperationProfile } from './operation-profile.ts';

/**
 * `POST /api/machines/{id}/startInvestigation`: up to 50 calls per hour, 201 with an Investigation object.
 * Its `id` can be the id of the triggering alert, which Defender accepts wherever it accepts an investigation id.
 */
export const startInvestigation: OperationProfile = {
  name: 'startInvestigation',
  quota: operationQuotas.startInvestigation,
  path: (machineId) => machineActionPath(machineId, 'startInvestigation'),
  body: (comment) => ({ Comment: comment }),
  readInvestigationId: (body) => readOpaqueId(body, 'id'),
};
