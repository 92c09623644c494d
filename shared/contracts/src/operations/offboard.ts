import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

/** Answered with 200 or 201 and a MachineAction. No call of the API brings the machine back: it has to be onboarded anew. */
export const offboard = {
  ...machineActionProfile,
  name: 'offboard',
  title: 'Take a machine out of Defender for good',
  wording: { noun: 'offboarding', one: 'an offboarding' },
  parameters: z.strictObject({}),
  coalescingKey: () => '',
  // The machine may have been onboarded again since.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'offboard'),
  body: ({ comment }) => ({ Comment: comment }),
  records: { list: 'machineActions', type: 'Offboard', covers: () => true },
  isOffByDefault: true,
  requiredRole: 'Machine.Offboard',
  risk: 'irreversible',
  advice: adviceFor('Machine.Offboard'),
} as const satisfies OperationProfile;
