import type { OperationName } from '@diq/contracts/operations.ts';
import { initiateInvestigation } from './initiate-investigation.ts';
import type { OperationProfile } from './operation-profile.ts';
import { startInvestigation } from './start-investigation.ts';

/** Every operation that can be selected. A new one is a new file, and one entry here and in the contracts. */
const operations: Readonly<Record<OperationName, OperationProfile>> = {
  initiateInvestigation,
  startInvestigation,
};

/** The profile of an operation; its name was checked with the settings. */
export function findOperation(name: OperationName): OperationProfile {
  return operations[name];
}
