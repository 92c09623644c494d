import { operationNames, profileOf, usualOperationNames, type OperationName } from './operations/index.ts';
import type { Limit } from './operations/profile.ts';

export { operationNames, usualOperationNames, type Limit, type OperationName };

/** How many calls may start: as many as each of these limits allows. At least one. */
export interface Quota {
  limits: readonly Limit[];
}

/** The quota that the vendor documents for each operation; the default where settings name no other. */
export const operationQuotas = Object.fromEntries(
  operationNames.map((name): [string, Quota] => [name, { limits: profileOf(name).limits }]),
) as Readonly<Record<OperationName, Quota>>;

export interface KeySpaceOwner {
  tenantId: string;
  operation: OperationName;
}

/** The operation whose queue this key space is; `undefined` for another text. */
export function operationIn(keySpace: string): OperationName | undefined {
  const [, name] = /^diq:\{[^{}/]+\/(\w+)\}$/.exec(keySpace) ?? [];
  return operationNames.find((one) => one === name);
}

/**
 * The prefix of every key that queue, limiter, ledger and requests of one quota have in Redis.
 * The braces are a hash tag: in Redis Cluster all these keys share a slot, so one script may touch several of them,
 * and another tenant or operation is another tag beside it.
 */
export function keySpace({ tenantId, operation }: KeySpaceOwner): string {
  return `diq:{${tenantId.toLowerCase()}/${operation}}`;
}
