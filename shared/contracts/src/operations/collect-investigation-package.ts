import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

/** Answered with 201 and a MachineAction. The package can be fetched by a link of its own once the action has succeeded. */
export const collectInvestigationPackage = {
  ...machineActionProfile,
  name: 'collectInvestigationPackage',
  title: 'Collect a package of evidence from a machine',
  wording: { noun: 'collection of evidence', one: 'a collection of evidence' },
  parameters: z.strictObject({}),
  coalescingKey: () => '',
  // It shows the machine as it was then.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'collectInvestigationPackage'),
  body: ({ comment }) => ({ Comment: comment }),
  records: { list: 'machineActions', type: 'CollectInvestigationPackage', covers: () => true },
  requiredRole: 'Machine.CollectForensics',
  risk: 'respond',
  advice: adviceFor('Machine.CollectForensics'),
} as const satisfies OperationProfile;
