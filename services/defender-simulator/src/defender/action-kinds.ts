import type { SimulatorSettings } from '../config.ts';
import type { FieldCheck } from './call-routes.ts';
import type { ActionOrder, LiveCommand } from './machine-actions.ts';

/** What differs between the machine actions, as documented. */
export interface ActionKind {
  /** Behind `/machines/{id}/`. */
  operation: string;
  /** As the action itself is shown. */
  type: string;
  role: string;
  /** Of the other keys of the body beside `Comment`, all of them mandatory. */
  fields: Readonly<Record<string, FieldCheck>>;
  /** What an action shows of these keys. */
  details?: (
    fields: Readonly<Record<string, unknown>>,
  ) => Pick<Partial<ActionOrder>, 'scope' | 'sha1' | 'commands'>;
  /** A repeat while one runs is always refused, whatever the settings say. */
  isExclusive?: true;
  /** Calls per minute, and how many of them may be under way at once, pending ones included. */
  limits?: (settings: SimulatorSettings) => { perMinute: number; atOnce: number };
}

const commandKeys: Readonly<Record<string, readonly string[]>> = {
  PutFile: ['FileName'],
  RunScript: ['ScriptName', 'Args'],
  GetFile: ['Path'],
};

export const actionKinds: readonly ActionKind[] = [
  {
    operation: 'runAntiVirusScan',
    type: 'RunAntiVirusScan',
    role: 'Machine.Scan',
    fields: { ScanType: oneOf('Quick', 'Full') },
    details: ({ ScanType }) => ({ scope: String(ScanType) }),
  },
  {
    operation: 'restrictCodeExecution',
    type: 'RestrictCodeExecution',
    role: 'Machine.RestrictExecution',
    fields: {},
  },
  {
    operation: 'unrestrictCodeExecution',
    type: 'UnrestrictCodeExecution',
    role: 'Machine.RestrictExecution',
    fields: {},
  },
  {
    operation: 'isolate',
    type: 'Isolate',
    role: 'Machine.Isolate',
    fields: { IsolationType: oneOf('Full', 'Selective', 'UnManagedDevice') },
    details: ({ IsolationType }) => ({ scope: String(IsolationType) }),
  },
  { operation: 'unisolate', type: 'Unisolate', role: 'Machine.Isolate', fields: {} },
  {
    operation: 'collectInvestigationPackage',
    type: 'CollectInvestigationPackage',
    role: 'Machine.CollectForensics',
    fields: {},
    isExclusive: true,
  },
  {
    operation: 'runliveresponse',
    type: 'LiveResponse',
    role: 'Machine.LiveResponse',
    fields: { Commands: (value) => (isCommands(value) ? undefined : 'InvalidRequestBody') },
    details: ({ Commands }) => ({ commands: Commands as LiveCommand[] }),
    isExclusive: true,
    limits: ({ liveResponsesPerMinute, liveSessions }) => ({
      perMinute: liveResponsesPerMinute,
      atOnce: liveSessions,
    }),
  },
  {
    operation: 'StopAndQuarantineFile',
    type: 'StopAndQuarantineFile',
    role: 'Machine.StopAndQuarantine',
    fields: {
      Sha1: (value) =>
        typeof value === 'string' && /^[\da-f]{40}$/i.test(value) ? undefined : 'InvalidHashValue',
    },
    details: ({ Sha1 }) => ({ sha1: String(Sha1).toLowerCase() }),
    isExclusive: true,
  },
  { operation: 'offboard', type: 'Offboard', role: 'Machine.Offboard', fields: {} },
];

function oneOf(...values: string[]): FieldCheck {
  return (value) => (values.some((one) => one === value) ? undefined : 'InvalidRequestBody');
}

function isCommands(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isCommand);
}

function isCommand(value: unknown): boolean {
  const { type, params, ...rest } = Object(value) as Record<string, unknown>;
  const keys = typeof type === 'string' && Object.hasOwn(commandKeys, type) ? commandKeys[type] : undefined;
  if (keys === undefined || !Array.isArray(params) || Object.keys(rest).length > 0) return false;
  return params.every((one: unknown) => {
    const { key, value: given } = Object(one) as Record<string, unknown>;
    return keys.some((known) => known === key) && typeof given === 'string';
  });
}
