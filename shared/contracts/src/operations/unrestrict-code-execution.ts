import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

/** Answered with 201 and a MachineAction. Ends what `restrictCodeExecution` began. */
export const unrestrictCodeExecution = {
  ...machineActionProfile,
  name: 'unrestrictCodeExecution',
  title: 'Let a machine run all code again',
  wording: { noun: 'release of code', one: 'a release of code' },
  parameters: z.strictObject({}),
  coalescingKey: () => '',
  // The machine may have been restricted again since.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'unrestrictCodeExecution'),
  body: ({ comment }) => ({ Comment: comment }),
  records: { list: 'machineActions', type: 'UnrestrictCodeExecution', covers: () => true },
  order: 'codeExecution',
  requiredRole: 'Machine.RestrictExecution',
  risk: 'respond',
  advice: adviceFor('Machine.RestrictExecution'),
} as const satisfies OperationProfile;
