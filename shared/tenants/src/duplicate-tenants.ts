import { pathName, type Locate, type TenantsFault } from './tenants-fault.ts';

/** What no two tenants may share: fields and their values. */
export type Identity = readonly (readonly [field: 'name' | 'tenantId', value: string])[];

/** Each later one with something that an earlier one has. */
export function duplicates(identities: readonly Identity[], locate: Locate): TenantsFault[] {
  const seen = new Map<string, number>();
  const faults: TenantsFault[] = [];
  for (const [index, values] of identities.entries()) {
    for (const [field, value] of values) {
      const first = seen.get(`${field} ${value}`);
      if (first === undefined) seen.set(`${field} ${value}`, index);
      else if (first !== index) {
        const path = ['tenants', index, field];
        const message = `${pathName(path)}: is that of tenants[${first}] too`;
        // Of the same tenant id all queues collide.
        if (faults.at(-1)?.message !== message) faults.push({ line: locate(path), message });
      }
    }
  }
  return faults;
}
