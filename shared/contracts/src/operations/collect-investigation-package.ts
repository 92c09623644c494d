import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { actionPath, machinePath } from './machine-path.ts';
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
  download: {
    kind: 'package',
    path: (actionId) => actionPath(actionId, 'getPackageUri'),
    limits: [
      { calls: 2, windowMs: 60_000 },
      { calls: 120, windowMs: 3_600_000 },
    ],
    // It is documented as short-lived, and not for how long it lives.
    goodForMs: 60_000,
  },
  requiredRole: 'Machine.CollectForensics',
  risk: 'respond',
  advice: adviceFor('Machine.CollectForensics'),
} as const satisfies OperationProfile;
