import { collectInvestigationPackage } from './collect-investigation-package.ts';
import { initiateInvestigation } from './initiate-investigation.ts';
import { isolate } from './isolate.ts';
import { offboard } from './offboard.ts';
import type { OperationProfile } from './profile.ts';
import { restrictCodeExecution } from './restrict-code-execution.ts';
import { runAntiVirusScan } from './run-antivirus-scan.ts';
import { runLiveResponse } from './run-live-response.ts';
import { startInvestigation } from './start-investigation.ts';
import { stopAndQuarantineFile } from './stop-and-quarantine-file.ts';
import { unisolate } from './unisolate.ts';
import { unrestrictCodeExecution } from './unrestrict-code-execution.ts';

/** The one list of the operations that a queue can stand in front of. */
const profiles = [
  initiateInvestigation,
  startInvestigation,
  runAntiVirusScan,
  restrictCodeExecution,
  unrestrictCodeExecution,
  isolate,
  unisolate,
  collectInvestigationPackage,
  runLiveResponse,
  stopAndQuarantineFile,
  offboard,
] as const;

export type OperationName = (typeof profiles)[number]['name'];

/** The names, in the order of the list. */
export const operationNames = profiles.map(({ name }) => name) as readonly OperationName[] as readonly [
  OperationName,
  ...OperationName[],
];

/** Those that `all` stands for, and of which one can be a tenant's default: the ones that are not off by default. */
export const usualOperationNames = profiles
  .filter((profile: OperationProfile) => profile.isOffByDefault === undefined)
  .map(({ name }) => name) as readonly OperationName[] as typeof operationNames;

const byName = new Map<string, OperationProfile>(profiles.map((profile) => [profile.name, profile]));

/** The profile of an operation. */
export function profileOf(name: OperationName): OperationProfile {
  const profile = byName.get(name);
  if (profile === undefined) throw new RangeError(`there is no operation ${name}`);
  return profile;
}
