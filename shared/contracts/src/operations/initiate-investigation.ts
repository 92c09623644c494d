import { investigationProfile } from './investigation-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';
import { readOpaqueId } from './read-id.ts';

/** Answered with 200 and `{ "@odata.context": "…#Edm.Int64", "value": 5146 }`, where `value` is the new investigation's id. */
export const initiateInvestigation = {
  ...investigationProfile,
  name: 'initiateInvestigation',
  title: 'Start an automated investigation (first generation of the API)',
  limits: [{ calls: 5, windowMs: 3_600_000 }],
  path: (machineId) => machinePath(machineId, 'InitiateInvestigation'),
  answersNumber: true,
  readResult: (body) => {
    const id = readOpaqueId(body, 'value');
    return id === undefined ? undefined : { kind: 'investigation', id };
  },
} as const satisfies OperationProfile;
