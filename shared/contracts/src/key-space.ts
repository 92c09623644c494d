import type { OperationName } from './operations.ts';

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
