import type { OperationName } from '@diq/contracts/operations.ts';
import { queuesOf, type Queue, type Tenant } from '@diq/tenants/tenant.ts';
import type { Caller } from '../config/callers.ts';

/** A tenant, whether this service acts for it still or did so before. */
export interface KnownTenant {
  readonly tenant: Tenant;
  /** Its default operation's first. */
  readonly queues: readonly Queue[];
  /** It is in the settings no more: what was asked can be read and cancelled, and nothing new is accepted. */
  readonly isRemoved: boolean;
}

/** Which queues there are, and which of them a caller reaches. Nothing is read for it. */
export type QueueDirectory = ReturnType<typeof createQueueDirectory>;

export function createQueueDirectory(given: readonly Tenant[]) {
  let byName = new Map<string, KnownTenant>();
  let byTag = new Map<string, Queue>();
  let settled = given;

  /** @param earlier those that were in the settings before this process started */
  function setTenants(tenants: readonly Tenant[], earlier: readonly Tenant[] = []): void {
    settled = tenants;
    const present = tenants.map((tenant) => ({ tenant, queues: queuesOf(tenant), isRemoved: false }));
    const names = new Set(present.flatMap(({ tenant: { name, tenantId } }) => [name, tenantId]));
    const removed = [...byName.values(), ...earlier.map((tenant) => ({ tenant, queues: queuesOf(tenant) }))]
      .filter(({ tenant: { name, tenantId } }) => !names.has(name) && !names.has(tenantId))
      .map(({ tenant, queues }) => ({ tenant, queues, isRemoved: true }));
    const all: readonly KnownTenant[] = [...present, ...removed];
    byName = new Map(all.map((one) => [one.tenant.name, one]));
    byTag = new Map(all.flatMap(({ queues }) => queues.map((queue) => [queue.tag, queue])));
  }

  setTenants(given);

  function mayReach(caller: Caller, name: string): boolean {
    if (caller.tenants === 'all') return true;
    if (caller.tenants) return caller.tenants.has(name);
    const isOwn =
      caller.entraTenantId !== undefined && byName.get(name)?.tenant.tenantId === caller.entraTenantId;
    return byName.size === 1 || isOwn;
  }

  return {
    setTenants,
    /** Those in the settings. */
    present: () => settled,
    /** The tenants that a caller reaches, those in the settings first. A caller that names none reaches the only one. */
    tenantsOf: (caller: Caller): KnownTenant[] =>
      [...byName.values()].filter(({ tenant: { name } }) => mayReach(caller, name)),
    /** `undefined` for one that is unknown or that the caller does not reach: it learns no difference. */
    findTenant(caller: Caller, name: string): KnownTenant | undefined {
      return mayReach(caller, name) ? byName.get(name) : undefined;
    },
    /** The queue of an id, by the tag in which it ends; `undefined` where the caller does not reach it. */
    findByTag(caller: Caller, tag: string): Queue | undefined {
      const queue = byTag.get(tag);
      return queue && mayReach(caller, queue.tenant) ? queue : undefined;
    },
    /** Whoever asks. */
    byTag: (tag: string): Queue | undefined => byTag.get(tag),
    /** Whether its tenant is in the settings no more. */
    isRemoved: ({ tenant }: Pick<Queue, 'tenant'>): boolean => byName.get(tenant)?.isRemoved === true,
    /** All, with those of tenants that were removed: calls of theirs may be under way. */
    queues: (): Queue[] => [...byTag.values()],
  };
}

/** The queue of a tenant for this operation, or its default one; `undefined` where the tenant may not use it. */
export function queueFor({ queues }: KnownTenant, operation: OperationName | undefined): Queue | undefined {
  return operation === undefined ? queues[0] : queues.find((queue) => queue.operation === operation);
}
