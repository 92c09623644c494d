import { z } from 'zod';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

const isolationTypes = ['Full', 'Selective', 'UnManagedDevice'] as const;

const parameters = z.strictObject({
  isolationType: z
    .enum(isolationTypes, { error: `must be one of ${isolationTypes.join(', ')}` })
    .describe(
      '`Full` cuts all connections, `Selective` leaves Outlook, Teams and Skype; `UnManagedDevice` has other machines block one that is not onboarded.',
    ),
});

/**
 * Answered with 201 and a MachineAction, whose `scope` is the type of the isolation. None of the types stands for another: who
 * asks for a selective one wants the machine's user to be reached.
 */
export const isolate = {
  ...machineActionProfile,
  name: 'isolate',
  title: 'Cut a machine off from the network',
  wording: { noun: 'isolation', one: 'an isolation' },
  parameters,
  coalescingKey: ({ isolationType }) => isolationType,
  // The machine may have been released since.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'isolate'),
  body: ({ comment, parameters: { isolationType } }) => ({ Comment: comment, IsolationType: isolationType }),
  records: {
    list: 'machineActions',
    type: 'Isolate',
    covers: ({ scope }, { isolationType }) => scope === isolationType,
  },
  order: 'isolation',
  requiredRole: 'Machine.Isolate',
  risk: 'respond',
  advice: adviceFor('Machine.Isolate'),
} as const satisfies OperationProfile<z.output<typeof parameters>>;
