import { investigationProfile } from './investigation-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';
import { readOpaqueId } from './read-id.ts';

/**
 * Answered with 201 and an Investigation object. Its `id` can be that of the triggering alert, which Defender accepts
 * wherever it accepts an investigation id.
 */
export const startInvestigation = {
  ...investigationProfile,
  name: 'startInvestigation',
  title: 'Start an automated investigation (second generation of the API)',
  limits: [{ calls: 50, windowMs: 3_600_000 }],
  path: (machineId) => machinePath(machineId, 'startInvestigation'),
  readResult: (body) => {
    const id = readOpaqueId(body, 'id');
    return id === undefined ? undefined : { kind: 'investigation', id };
  },
} as const satisfies OperationProfile;
