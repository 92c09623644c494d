import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import type { Random } from '../random.ts';

/** One request to be posted; its comment is added when it is. */
export interface PlannedRequest {
  readonly operation: OperationName;
  readonly machineId: string;
  readonly priority: string;
  readonly parameters?: object;
}

export interface Plan {
  /** Between two posts about one machine, on average. */
  readonly betweenMs: number;
  readonly machines: readonly string[];
  next(machineId: string): PlannedRequest;
}

const contrary: readonly OperationName[] = [
  'isolate',
  'unisolate',
  'restrictCodeExecution',
  'unrestrictCodeExecution',
];
/** All but offboarding, which ends a machine's time with Defender. */
export const mixed: readonly OperationName[] = [
  ...contrary,
  'initiateInvestigation',
  'runAntiVirusScan',
  'collectInvestigationPackage',
  'runLiveResponse',
  'stopAndQuarantineFile',
];

/** Few machines, which are isolated and released, restricted and freed, again and again. */
export function contraryPlan(random: Random, machines: number, betweenMs: number): Plan {
  return planOf(random, { machines, betweenMs, operations: contrary });
}

/** Every operation, equal and contrary ones on one machine, in random order. */
export function mixedPlan(random: Random, machines: number, betweenMs: number): Plan {
  return planOf(random, { machines, betweenMs, operations: mixed });
}

interface PlanOptions {
  machines: number;
  betweenMs: number;
  operations: readonly OperationName[];
}

function planOf(random: Random, { machines, betweenMs, operations }: PlanOptions): Plan {
  return {
    betweenMs,
    machines: Array.from({ length: machines }, () => `a${random.hex(39)}`),
    next(machineId) {
      const operation = random.pick(operations);
      const parameters = parametersOf(operation, random);
      return {
        operation,
        machineId,
        priority: random.pick(['critical', 'high', 'medium', 'medium', 'low']),
        ...(parameters && { parameters }),
      };
    },
  };
}

/** What a request for this operation asks for, beside machine and comment. */
export function parametersOf(operation: OperationName, random: Random): object | undefined {
  switch (operation) {
    case 'isolate':
      return { isolationType: random.pick(['Full', 'Full', 'Selective']) };
    case 'runAntiVirusScan':
      return { scanType: random.pick(['Quick', 'Full']) };
    case 'stopAndQuarantineFile':
      return { sha1: random.pick(['a', 'b']).repeat(40) };
    case 'runLiveResponse':
      return {
        commands: [{ type: 'GetFile', params: [{ key: 'Path', value: random.pick(['/a', '/b']) }] }],
      };
    default:
      return undefined;
  }
}

/** Which acts exclude each other on a machine, by the profile. */
export const familyOf = (operation: OperationName): string | undefined =>
  (profileOf(operation) as { order?: string }).order;
