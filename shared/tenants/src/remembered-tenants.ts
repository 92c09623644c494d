import { z } from 'zod';
import { operationNames, operationQuotas, type OperationName } from '@diq/contracts/operations.ts';
import type { Tenant } from './tenant.ts';

/** Its ledger has the limits that hold; these are shown where that is gone. */
const rulesOf = (operation: OperationName) => ({ ...operationQuotas[operation], reserveForCritical: 0 });

/** Of a connection to Redis, what is used here. */
interface Hashes {
  hgetall(key: string): Promise<Record<string, string>>;
  hset(key: string, ...fieldsAndValues: string[]): Promise<unknown>;
  hdel(key: string, ...fields: string[]): Promise<unknown>;
}

/** Hash: tenant id → JSON of what its requests can be found by, and when the tenant was in the settings last. */
const key = 'diq:{tenants}:known';

const remembered = z.object({
  name: z.string(),
  tenantId: z.string(),
  defaultOperation: z.enum(operationNames),
  operations: z.array(z.enum(operationNames)).min(1),
  seenAtMs: z.number(),
});

/**
 * Which tenants there were: after one is taken out of the file, its requests can be read for as long as they are kept, also
 * by an intake that starts later, and a worker that starts later finds the calls whose outcome is still open.
 */
export function createRememberedTenants(redis: Hashes, retentionMs: number) {
  const read = async () =>
    new Map(Object.entries(await redis.hgetall(key)).map(([id, json]) => [id, parse(json)]));
  const keptOf = (noted: Awaited<ReturnType<typeof read>>, nowMs: number) =>
    [...noted].flatMap(([, entry]) => (entry && nowMs - entry.seenAtMs < retentionMs ? [entry] : []));

  return {
    /** Those that were noted within the retention. */
    all: async (nowMs: number): Promise<Tenant[]> => keptOf(await read(), nowMs).map(tenantOf),
    /**
     * Notes the tenants in the settings, and returns those that were noted within the retention, each with every operation
     * that it had.
     */
    async meet(tenants: readonly Tenant[], nowMs: number): Promise<Tenant[]> {
      const noted = await read();
      for (const { name, tenantId, defaultOperation, operations } of tenants) {
        const all = new Set([...operations.keys(), ...(noted.get(tenantId)?.operations ?? [])]);
        noted.set(tenantId, { name, tenantId, defaultOperation, operations: [...all], seenAtMs: nowMs });
      }
      const kept = keptOf(noted, nowMs);
      const keptIds = new Set(kept.map(({ tenantId }) => tenantId));
      const gone = [...noted.keys()].filter((tenantId) => !keptIds.has(tenantId));
      const own = kept.filter(({ seenAtMs }) => seenAtMs === nowMs);
      const entries = own.flatMap((entry) => [entry.tenantId, JSON.stringify(entry)]);
      if (entries.length > 0) await redis.hset(key, ...entries);
      if (gone.length > 0) await redis.hdel(key, ...gone);
      return kept.map(tenantOf);
    },
  };
}

function parse(json: string): z.output<typeof remembered> | undefined {
  try {
    return remembered.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}

function tenantOf({ name, tenantId, defaultOperation, operations }: z.output<typeof remembered>): Tenant {
  return {
    name,
    tenantId,
    defaultOperation,
    operations: new Map(operations.map((operation) => [operation, rulesOf(operation)])),
  };
}
