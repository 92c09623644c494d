import { nameOf, queuesOf, type ReachableTenant } from '@diq/tenants/tenant.ts';

/** The tenants in the settings, by tenant id, and the key spaces of their queues, with the names of both. */
export interface Present {
  readonly tenants: ReadonlyMap<string, ReachableTenant>;
  readonly keySpaces: ReadonlySet<string>;
  readonly tenantNames: ReadonlySet<string>;
  readonly queueNames: ReadonlySet<string>;
}

export function presentOf(tenants: readonly ReachableTenant[]): Present {
  return {
    tenants: new Map(tenants.map((tenant) => [tenant.tenantId, tenant])),
    tenantNames: new Set(tenants.map(({ name }) => name)),
    queueNames: new Set(tenants.flatMap(queuesOf).map(nameOf)),
    keySpaces: new Set(tenants.flatMap(queuesOf).map(({ keySpace }) => keySpace)),
  };
}
