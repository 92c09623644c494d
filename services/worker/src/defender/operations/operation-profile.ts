import type { OperationName, Quota } from '@diq/contracts/operations.ts';

/**
 * Everything that differs between the Defender operations this service can make.
 * One operation is one file with one profile; the client and the classifier know no operation by name.
 */
export interface OperationProfile {
  /** The value of DEFENDER_OPERATION that selects this profile. */
  readonly name: OperationName;

  /** What Defender's documentation allows per tenant and application; the default where no setting overrides it. */
  readonly quota: Readonly<Quota>;

  /** Path below the base URL, beginning with a slash, the machine id encoded. Throws RangeError for an id that is no path segment. */
  readonly path: (machineId: string) => string;

  /** The JSON body of the call. Defender compares keys with exact case. */
  readonly body: (comment: string) => Readonly<Record<string, unknown>>;

  /** The investigation's id out of a parsed 2xx body, as an opaque string; undefined when it cannot be read. */
  readonly readInvestigationId: (body: unknown) => string | undefined;
}
