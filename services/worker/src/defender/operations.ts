import type { OperationName } from '@diq/contracts/operations.ts';
import { machineActionPath } from './address.ts';
import { readOpaqueId } from './defender-records.ts';

/** Everything that differs between the Defender operations: client and classifier know no operation by name. */
export interface OperationProfile {
  /** Path below the base URL, beginning with a slash, the machine id encoded. Throws RangeError for an id that is no path segment. */
  readonly path: (machineId: string) => string;
  /** The JSON body of the call. Defender compares keys with exact case. */
  readonly body: (comment: string) => Readonly<Record<string, unknown>>;
  /** The investigation's id out of a parsed 2xx body, as an opaque string; undefined when it cannot be read. */
  readonly readInvestigationId: (body: unknown) => string | undefined;
}

/** The profile of each operation by its name in DEFENDER_OPERATION. A new one is an entry here and one in the contracts, which hold its quota. */
export const operations: Readonly<Record<OperationName, OperationProfile>> = {
  /** 200 with `{ "@odata.context": "…#Edm.Int64", "value": 5146 }`, where `value` is the new investigation's id. */
  initiateInvestigation: {
    path: (machineId) => machineActionPath(machineId, 'InitiateInvestigation'),
    body: (comment) => ({ Comment: comment }),
    readInvestigationId: (body) => readOpaqueId(body, 'value'),
  },
  /** 201 with an Investigation object. Its `id` can be that of the triggering alert, which Defender accepts wherever it accepts an investigation id. */
  startInvestigation: {
    path: (machineId) => machineActionPath(machineId, 'startInvestigation'),
    body: (comment) => ({ Comment: comment }),
    readInvestigationId: (body) => readOpaqueId(body, 'id'),
  },
};
