import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

const parameters = z.strictObject({
  sha1: z
    .string({ error: 'must be a string' })
    .regex(/^[\dA-Fa-f]{40}$/, 'must be a SHA-1: 40 hexadecimal characters')
    .toLowerCase()
    .describe('SHA-1 of the file, 40 hexadecimal characters.'),
});

/** Answered with 201 and a MachineAction, whose `relatedFileInfo` names the file. */
export const stopAndQuarantineFile = {
  ...machineActionProfile,
  name: 'stopAndQuarantineFile',
  title: 'Stop a file on a machine and put it into quarantine',
  wording: { noun: 'quarantine of a file', one: 'a quarantine of a file' },
  parameters,
  coalescingKey: ({ sha1 }) => sha1,
  // The file may have come back, or been restored.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'StopAndQuarantineFile'),
  body: ({ comment, parameters: { sha1 } }) => ({ Comment: comment, Sha1: sha1 }),
  records: {
    list: 'machineActions',
    type: 'StopAndQuarantineFile',
    covers: ({ fileIdentifier }, { sha1 }) => fileIdentifier?.toLowerCase() === sha1,
  },
  requiredRole: 'Machine.StopAndQuarantine',
  risk: 'respond',
  advice: adviceFor('Machine.StopAndQuarantine'),
} as const satisfies OperationProfile<z.output<typeof parameters>>;
