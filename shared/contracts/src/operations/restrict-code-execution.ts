import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

/** Answered with 201 and a MachineAction. From then on the machine runs only what Microsoft signed. */
export const restrictCodeExecution = {
  ...machineActionProfile,
  name: 'restrictCodeExecution',
  title: 'Let a machine run only what Microsoft signed',
  wording: { noun: 'restriction of code', one: 'a restriction of code' },
  parameters: z.strictObject({}),
  coalescingKey: () => '',
  // The restriction may have been removed since.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'restrictCodeExecution'),
  body: ({ comment }) => ({ Comment: comment }),
  records: { list: 'machineActions', type: 'RestrictCodeExecution', covers: () => true },
  order: 'codeExecution',
  requiredRole: 'Machine.RestrictExecution',
  risk: 'respond',
  advice: adviceFor('Machine.RestrictExecution'),
} as const satisfies OperationProfile;
