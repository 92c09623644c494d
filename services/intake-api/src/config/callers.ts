import { z } from 'zod';
import type { Risk } from '@diq/contracts/operations/profile.ts';
import { tenantName } from '@diq/tenants/tenant.ts';
import { listEntries } from '@diq/runtime/settings/setting-kinds.ts';

/**
 * What a caller may do. `submit`: ask for what only looks at machines; `respond` and `irreversible`: for what changes them,
 * by the risk of the operation. `admin` includes `submit` and `read`, and neither of the other two.
 */
export const scopes = ['submit', 'respond', 'irreversible', 'read', 'admin'] as const;

export type Scope = (typeof scopes)[number];

/** What `admin` includes. */
export const adminScopes = ['submit', 'read', 'admin'] as const satisfies readonly Scope[];

/** The scope that is needed to ask for an operation of this risk. */
export const scopeByRisk = {
  investigate: 'submit',
  respond: 'respond',
  irreversible: 'irreversible',
} as const satisfies Record<Risk, Scope>;

/** The caller that a credential identifies. */
export interface Caller {
  name: string;
  /** Of a person with a session: how the person is called. For people to read; `name` identifies. */
  displayName?: string;
  scopes: ReadonlySet<Scope>;
  /** The names of the tenants that it reaches. `undefined`: it names none, and reaches the only one there is. */
  tenants?: ReadonlySet<string> | 'all' | undefined;
  /** Signed in for a screen that many can reach: it sees the status page, and gets nothing that was collected from machines. */
  onlyLooks?: true;
  /** Of a token: it reaches the tenant with this id, too. */
  entraTenantId?: string;
}

/** A key that lets a caller in. Only its SHA-256 is known here, so that reading the settings gives no key away. */
export interface ApiKey extends Caller {
  sha256: Buffer;
}

/**
 * A setting that holds API keys as `name:scopes:sha256hex[:tenants]`, separated by commas or line ends; `#` begins a comment. While a
 * key is being replaced its entry holds both hashes, joined by `+`: requests belong to the name.
 * Faults name the entry by number, and by its name where that cannot be a misplaced secret; never the hash.
 */
export function apiKeys() {
  return z.string().transform((text, context): ApiKey[] => {
    const entries = text.split('\n').flatMap((line) => listEntries(line.replace(/#.*/, '')));
    if (entries.length === 0)
      context.addIssue({ code: 'custom', message: 'holds no key (expected at least one)' });
    const parsed = entries.map(parseEntry);
    const faults = [...parsed.flatMap((entry) => entry.faults), ...duplicates(parsed)];
    for (const message of faults) context.addIssue({ code: 'custom', message });
    return faults.length > 0 ? z.NEVER : parsed.flatMap(({ keys }) => keys);
  });
}

interface ParsedEntry {
  label: string;
  faults: string[];
  /** Of one name. */
  keys: ApiKey[];
}

/** The one that is valid and, while it is being replaced, the other. */
const maxHashes = 2;

/** Who everybody is where no credential is needed. What was asked then is no key's. */
export const nameOfAnybody = 'anybody';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** A name like this may well be a hash or a key that stands in the wrong place. */
const secretLookingPattern = /[A-Za-z0-9_-]{24}/;

function parseEntry(entry: string, index: number): ParsedEntry {
  const parts = entry.split(':').map((part) => part.trim());
  const [name = '', scopeList = '', hashList = '', tenantList] = parts;
  const isTellable = parts.length > 1 && namePattern.test(name) && !secretLookingPattern.test(name);
  const label = isTellable ? `entry ${index + 1} (${name})` : `entry ${index + 1}`;
  if (parts.length !== 3 && parts.length !== 4) {
    const fault = `${label} has ${parts.length} of 3 or 4 parts (expected name:scopes:sha256hex or name:scopes:sha256hex:tenants)`;
    return { label, faults: [fault], keys: [] };
  }
  const faults: string[] = [];
  if (!namePattern.test(name)) {
    faults.push(`${label} has an unusable name (expected up to 64 letters, digits, '.', '_' or '-')`);
  }
  if (name === nameOfAnybody) {
    faults.push(`${label} has the name that all callers have without INTAKE_AUTH (expected another)`);
  }
  const granted = scopeList.split('+').filter(isScope);
  if (granted.length !== scopeList.split('+').length) {
    faults.push(`${label} has an unknown scope (expected ${scopes.join(', ')}, joined by +)`);
  }
  const hashes = hashList.split('+').map((hash) => hash.trim());
  if (hashes.length > maxHashes || !hashes.every((hash) => /^[0-9a-f]{64}$/i.test(hash))) {
    faults.push(
      `${label} has an unusable hash (expected the key's SHA-256 as 64 hexadecimal characters, or two joined by +)`,
    );
  }
  const tenants = tenantList === undefined ? undefined : parseTenantNames(tenantList);
  if (tenantList !== undefined && !tenants) {
    faults.push(`${label} has an unusable tenant (expected names out of TENANTS_FILE, joined by +, or *)`);
  }
  if (faults.length > 0) return { label, faults, keys: [] };
  const held = new Set<Scope>(granted.includes('admin') ? [...adminScopes, ...granted] : granted);
  return {
    label,
    faults,
    keys: hashes.map((hash) => ({
      name,
      scopes: held,
      ...(tenants && { tenants }),
      sha256: Buffer.from(hash, 'hex'),
    })),
  };
}

/** `undefined` where one is no name. */
function parseTenantNames(list: string): ReadonlySet<string> | 'all' | undefined {
  if (list === '*') return 'all';
  const names = list.split('+').map((name) => name.trim());
  return names.every((name) => tenantName.test(name)) ? new Set(names) : undefined;
}

function duplicates(entries: readonly ParsedEntry[]): string[] {
  const nameOf = ({ keys }: ParsedEntry) => keys[0]?.name;
  return entries.flatMap(({ label, keys }, i) => {
    const earlier = entries.slice(0, i);
    const isSame = (key: ApiKey) => keys.some(({ sha256 }) => sha256.equals(key.sha256));
    const [one, two] = keys;
    return [
      ...(one && two?.sha256.equals(one.sha256) ? [`${label} has the same key twice (expected two)`] : []),
      ...earlier
        .filter((other) => one !== undefined && nameOf(other) === one.name)
        .map((other) => `${label} has the name of ${other.label} (expected a name of its own)`),
      ...earlier
        .filter((other) => other.keys.some(isSame))
        .map((other) => `${label} has the same key as ${other.label} (expected a key of its own)`),
    ];
  });
}

function isScope(text: string): text is Scope {
  return (scopes as readonly string[]).includes(text);
}
