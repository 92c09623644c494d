import { initiateInvestigation } from './initiate-investigation.ts';
import type { OperationProfile } from './operation-profile.ts';
import { startInvestigation } from './start-investigation.ts';

/** Every operation that can be selected. A new operation is a new file and one entry here. */
const operations: readonly OperationProfile[] = [initiateInvestigation, startInvestigation];

/** The names that {@link findOperation} knows, for settings and their documentation. */
export const operationNames: readonly string[] = operations.map(({ name }) => name);

/** The profile of that name (exact case). Throws RangeError listing the known names. */
export function findOperation(name: string): OperationProfile {
  const found = operations.find((operation) => operation.name === name);
  if (found === undefined) {
    throw new RangeError(`unknown operation "${name}", known are: ${operationNames.join(', ')}`);
  }
  return found;
}
