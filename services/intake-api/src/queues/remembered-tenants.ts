import { z } from 'zod';
import { operationNames, operationQuotas, type OperationName } from '@diq/contracts/operations.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import type { Tenant } from '@diq/tenants/tenant.ts';

/** Its ledger has the limits that hold; these are shown where that is gone. */
const rulesOf = (operation: OperationName) => ({ ...operationQuotas[operation], reserveForCritical: 0 });

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
 * by an intake that starts later.
 */
export function createRememberedTenants(redis: RedisConnection, retentionMs: number) {
  return {
    /** Notes the tenants in the settings, and returns the others that were noted within the retention. */
    async meet(tenants: readonly Tenant[], nowMs: number): Promise<Tenant[]> {
      const entries = tenants.flatMap(({ name, tenantId, defaultOperation, operations }) => {
        const entry = {
          name,
          tenantId,
          defaultOperation,
          operations: [...operations.keys()],
          seenAtMs: nowMs,
        };
        return [tenantId, JSON.stringify(entry satisfies z.input<typeof remembered>)];
      });
      if (entries.length > 0) await redis.hset(key, ...entries);
      const found = Object.entries(await redis.hgetall(key));
      const present = new Set(tenants.map(({ tenantId }) => tenantId));
      const others = found.filter(([tenantId]) => !present.has(tenantId));
      const read = others.map(([tenantId, json]) => ({ tenantId, entry: parse(json) }));
      const isKept = (seenAtMs: number) => nowMs - seenAtMs < retentionMs;
      const gone = read.filter(({ entry }) => !entry || !isKept(entry.seenAtMs));
      if (gone.length > 0) await redis.hdel(key, ...gone.map(({ tenantId }) => tenantId));
      return read.flatMap(({ entry }) => (entry && isKept(entry.seenAtMs) ? [tenantOf(entry)] : []));
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
