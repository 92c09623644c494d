import { operationNames, profileOf, scarcestOf, type OperationName } from './operations/index.ts';

export { operationNames, type OperationName };
export type { Limit } from './operations/profile.ts';

/** How many calls may start in one rolling window. */
export interface Quota {
  limit: number;
  windowMs: number;
}

/** The scarcest quota that the vendor documents for each operation; the default where settings name no other. */
export const operationQuotas = Object.fromEntries(
  operationNames.map((name) => {
    const { calls, windowMs } = scarcestOf(profileOf(name).limits);
    return [name, { limit: calls, windowMs }];
  }),
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
