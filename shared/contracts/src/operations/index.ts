import { initiateInvestigation } from './initiate-investigation.ts';
import type { OperationProfile } from './profile.ts';
import { restrictCodeExecution } from './restrict-code-execution.ts';
import { runAntiVirusScan } from './run-antivirus-scan.ts';
import { startInvestigation } from './start-investigation.ts';
import { unrestrictCodeExecution } from './unrestrict-code-execution.ts';

/** The one list of the operations that a queue can stand in front of. */
const profiles = [
  initiateInvestigation,
  startInvestigation,
  runAntiVirusScan,
  restrictCodeExecution,
  unrestrictCodeExecution,
] as const;

export type OperationName = (typeof profiles)[number]['name'];

/** The names, in the order of the list. */
export const operationNames = profiles.map(({ name }) => name) as readonly OperationName[] as readonly [
  OperationName,
  ...OperationName[],
];

const byName = new Map<string, OperationProfile>(profiles.map((profile) => [profile.name, profile]));

/** The profile of an operation. */
export function profileOf(name: OperationName): OperationProfile {
  const profile = byName.get(name);
  if (profile === undefined) throw new RangeError(`there is no operation ${name}`);
  return profile;
}
