import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

/** Answered with 201 and a MachineAction. Ends what `isolate` began. */
export const unisolate = {
  ...machineActionProfile,
  name: 'unisolate',
  title: 'Let a machine back into the network',
  wording: { noun: 'release from isolation', one: 'a release from isolation' },
  parameters: z.strictObject({}),
  coalescingKey: () => '',
  // The machine may have been isolated again since.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'unisolate'),
  body: ({ comment }) => ({ Comment: comment }),
  records: { list: 'machineActions', type: 'Unisolate', covers: () => true },
  order: 'isolation',
  requiredRole: 'Machine.Isolate',
  risk: 'respond',
  advice: adviceFor('Machine.Isolate'),
} as const satisfies OperationProfile;
