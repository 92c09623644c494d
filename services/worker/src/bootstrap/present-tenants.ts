import { queuesOf, type ReachableTenant } from '@diq/tenants/tenant.ts';

/** The tenants in the settings, by tenant id, and the key spaces of their queues. */
export interface Present {
  readonly tenants: ReadonlyMap<string, ReachableTenant>;
  readonly keySpaces: ReadonlySet<string>;
}

export function presentOf(tenants: readonly ReachableTenant[]): Present {
  return {
    tenants: new Map(tenants.map((tenant) => [tenant.tenantId, tenant])),
    keySpaces: new Set(tenants.flatMap(queuesOf).map(({ keySpace }) => keySpace)),
  };
}
