import { operationQuotas } from '@diq/contracts/operations.ts';
import { machineActionPath, readOpaqueId, type OperationProfile } from './operation-profile.ts';

/**
 * `POST /api/machines/{id}/InitiateInvestigation`: up to 5 calls per hour, 200 with
 * `{ "@odata.context": "…#Edm.Int64", "value": 5146 }`, where `value` is the new investigation's id.
 */
export const initiateInvestigation: OperationProfile = {
  name: 'initiateInvestigation',
  quota: operationQuotas.initiateInvestigation,
  path: (machineId) => machineActionPath(machineId, 'InitiateInvestigation'),
  body: (comment) => ({ Comment: comment }),
  readInvestigationId: (body) => readOpaqueId(body, 'value'),
};
