import { isDeepStrictEqual } from 'node:util';
import type { OperationName } from '@diq/contracts/operations.ts';
import { queuesOf, type Queue, type Tenant } from '@diq/tenants/tenant.ts';
import type { Caller } from '../config/callers.ts';

/** A tenant, whether this service acts for it still or did so before. */
export interface KnownTenant {
  readonly tenant: Tenant;
  /** Those in which requests are accepted, its default operation's first. None of a removed tenant. */
  readonly queues: readonly Queue[];
  /** Of operations that were taken out of the settings: what was asked can be read and cancelled. */
  readonly former: readonly Queue[];
  /** It is in the settings no more. */
  readonly isRemoved: boolean;
}

/** Which queues there are, and which of them a caller reaches. Nothing is read for it. */
export type QueueDirectory = ReturnType<typeof createQueueDirectory>;

export function createQueueDirectory(given: readonly Tenant[]) {
  let present = given;
  let byName = new Map<string, KnownTenant>();
  let byTag = new Map<string, Queue>();
  let accepting: ReadonlySet<string> = new Set();

  /** The same object for as long as nothing of it changes: what is open for it is found by it. */
  function asKnown(queue: Queue): Queue {
    const known = byTag.get(queue.tag);
    return known && isDeepStrictEqual(known, queue) ? known : queue;
  }

  /** @param earlier tenants, and operations of theirs, that were in the settings before this process started */
  function setTenants(tenants: readonly Tenant[], earlier: readonly Tenant[] = []): void {
    const own = new Map(tenants.map((tenant) => [tenant, queuesOf(tenant).map(asKnown)]));
    const queues = [...own.values()].flat();
    accepting = new Set(queues.map(({ tag }) => tag));
    // By what its queues are stored under: its name may have changed.
    const nameOf = new Map(tenants.map(({ tenantId, name }) => [tenantId, name]));
    const taken = new Set(nameOf.values());
    const former = new Map(
      [...byTag.values(), ...earlier.flatMap(queuesOf)]
        .filter(({ tag }) => !accepting.has(tag))
        .map((queue) => asKnown({ ...queue, tenant: nameOf.get(queue.tenantId) ?? queue.tenant }))
        // A name that another tenant has now must not lead to what was this one's.
        .filter(({ tenant, tenantId }) => nameOf.has(tenantId) || !taken.has(tenant))
        .map((queue) => [queue.tag, queue]),
    );
    const known = (tenant: Tenant, isRemoved: boolean): KnownTenant => ({
      tenant,
      queues: own.get(tenant) ?? [],
      former: [...former.values()].filter((queue) => queue.tenant === tenant.name),
      isRemoved,
    });
    const before = [...[...byName.values()].map(({ tenant }) => tenant), ...earlier];
    const removed = before.filter(({ tenantId, name }) => !nameOf.has(tenantId) && !taken.has(name));
    present = tenants;
    byName = new Map([
      ...tenants.map((tenant) => [tenant.name, known(tenant, false)] as const),
      ...removed.map((tenant) => [tenant.name, known(tenant, true)] as const),
    ]);
    byTag = new Map([...queues, ...former.values()].map((queue) => [queue.tag, queue]));
  }

  setTenants(given);

  function mayReach(caller: Caller, name: string): boolean {
    if (caller.tenants === 'all') return true;
    if (caller.tenants) return caller.tenants.has(name);
    const isOwn =
      caller.entraTenantId !== undefined && byName.get(name)?.tenant.tenantId === caller.entraTenantId;
    return isOwn || (present.length === 1 && present[0]?.name === name);
  }

  return {
    setTenants,
    /** Those in the settings. */
    present: () => present,
    /** The tenants that a caller reaches, those in the settings first. A caller that names none reaches the only one. */
    tenantsOf: (caller: Caller): KnownTenant[] =>
      [...byName.values()].filter(({ tenant: { name } }) => mayReach(caller, name)),
    /** The first of them, found without going through the others. */
    firstTenantOf(caller: Caller): KnownTenant | undefined {
      for (const known of byName.values()) if (mayReach(caller, known.tenant.name)) return known;
      return undefined;
    },
    /** `undefined` for one that is unknown or that the caller does not reach: it learns no difference. */
    findTenant(caller: Caller, name: string): KnownTenant | undefined {
      return mayReach(caller, name) ? byName.get(name) : undefined;
    },
    /** The queue of an id, by the tag in which it ends; `undefined` where the caller does not reach it. */
    findByTag(caller: Caller, tag: string): Queue | undefined {
      const queue = byTag.get(tag);
      return queue && mayReach(caller, queue.tenant) ? queue : undefined;
    },
    /** The same for the service itself. */
    byTag: (tag: string): Queue | undefined => byTag.get(tag),
    /** Whether requests are accepted in it: its tenant and operation are in the settings. */
    isAccepting: ({ tag }: Pick<Queue, 'tag'>): boolean => accepting.has(tag),
    /** All, with those that are in the settings no more: calls of theirs may be under way. */
    queues: (): Queue[] => [...byTag.values()],
  };
}

/**
 * The queue of a tenant for this operation, or its default one; `undefined` where there is none.
 *
 * @param isReading also one that is in the settings no more
 */
export function queueFor(
  { queues, former }: KnownTenant,
  operation: OperationName | undefined,
  isReading: boolean,
): Queue | undefined {
  const candidates = isReading ? [...queues, ...former] : queues;
  return operation === undefined ? candidates[0] : candidates.find((queue) => queue.operation === operation);
}
