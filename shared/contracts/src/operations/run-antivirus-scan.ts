import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

const scanTypes = ['Quick', 'Full'] as const;

const parameters = z.strictObject({
  scanType: z
    .enum(scanTypes, { error: `must be one of ${scanTypes.join(', ')}` })
    .describe('How far the scan goes.'),
});

/**
 * Answered with 201 and a MachineAction, whose `scope` is the depth of the scan. Microsoft's substitute for the investigations
 * that can no longer be started. A full scan finds all that a quick one finds, and not the other way round.
 */
export const runAntiVirusScan = {
  ...machineActionProfile,
  name: 'runAntiVirusScan',
  title: 'Scan a machine with Microsoft Defender Antivirus',
  wording: { noun: 'antivirus scan', one: 'an antivirus scan' },
  parameters,
  coalescingKey: ({ scanType }) => scanType,
  isReusable: true,
  path: (machineId) => machinePath(machineId, 'runAntiVirusScan'),
  body: ({ comment, parameters: { scanType } }) => ({ Comment: comment, ScanType: scanType }),
  records: {
    list: 'machineActions',
    type: 'RunAntiVirusScan',
    covers: ({ scope }, { scanType }) => scanType === 'Quick' || scope === 'Full',
  },
  requiredRole: 'Machine.Scan',
  risk: 'respond',
  advice: adviceFor('Machine.Scan'),
} as const satisfies OperationProfile<z.output<typeof parameters>>;
