/** The Defender operations that a queue can stand in front of. How one is called is the worker's business. */
export const operationNames = ['initiateInvestigation', 'startInvestigation'] as const;

export type OperationName = (typeof operationNames)[number];

/** So many calls may start in any rolling window of this length; an operation can have several, which all hold. */
export interface Limit {
  calls: number;
  windowMs: number;
}

/** How many calls may start in one rolling window. */
export interface Quota {
  limit: number;
  windowMs: number;
}

/** The quota that the vendor documents for each operation; the default where settings name no other. */
export const operationQuotas: Readonly<Record<OperationName, Quota>> = {
  initiateInvestigation: { limit: 5, windowMs: 3_600_000 },
  startInvestigation: { limit: 50, windowMs: 3_600_000 },
};

export interface KeySpaceOwner {
  tenantId: string;
  operation: OperationName;
}

/**
 * The prefix of every key that queue, limiter, ledger and requests of one quota have in Redis.
 * The braces are a hash tag: in Redis Cluster all these keys share a slot, so one script may touch several of them,
 * and another tenant or operation is another tag beside it.
 */
export function keySpace({ tenantId, operation }: KeySpaceOwner): string {
  return `diq:{${tenantId.toLowerCase()}/${operation}}`;
}
