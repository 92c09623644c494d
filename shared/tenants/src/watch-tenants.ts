import { isDeepStrictEqual } from 'node:util';
import { NoRegularFileError, readRegularFileSync } from '@diq/runtime/settings/read-regular-file.ts';
import { watchFile } from '@diq/runtime/settings/watch-file.ts';
import { SettingsError } from '@diq/runtime/settings/read-settings.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { parseInThread } from './parse-in-thread.ts';
import { parseTenants } from './parse-tenants.ts';
import { identityOf, type ReachableTenant, type Tenant } from './tenant.ts';
import type { TenantsFault } from './tenants-fault.ts';

/** Room for thousands of tenants. */
const maxFileBytes = 8 * 1_024 * 1_024;
const setting = 'TENANTS_FILE';

/**
 * The tenants in the file at `path`, at a start.
 *
 * @throws SettingsError with every fault of the file, by line
 */
export function readTenantsFile(path: string): readonly ReachableTenant[] {
  let text: string;
  try {
    text = readRegularFileSync(path, maxFileBytes).toString();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const fault = error instanceof NoRegularFileError ? error.message : `the file cannot be read, ${code}`;
    throw new SettingsError([`${setting}: ${fault} (expected a file of tenants, of at most 8 MB)`]);
  }
  const parsed = parseTenants(text);
  if (parsed.ok) return parsed.tenants;
  throw new SettingsError(parsed.faults.map((fault) => `${setting}: ${describe(fault)}`));
}

/**
 * Watches the file of tenants. A content with a fault changes nothing, and the log says which line and why.
 *
 * @returns what ends it; resolves when a look under way is over
 */
export function watchTenants(options: {
  readonly path: string;
  /** As they were read at the start. */
  readonly tenants: readonly Tenant[];
  /** Called with tenants that differ from the last ones. */
  readonly onChange: (tenants: readonly ReachableTenant[]) => void;
  readonly logger: Pick<Logger, 'info' | 'error'>;
  /** Default 2 s. */
  readonly intervalMs?: number;
}): () => Promise<void> {
  const { path, onChange, logger, intervalMs = 2_000 } = options;
  let present = identitiesOf(options.tenants);
  return watchFile({
    setting,
    path,
    maxBytes: maxFileBytes,
    async parse(text, signal) {
      const parsed = await parseInThread(text, { signal });
      return parsed.ok
        ? { ok: true, value: parsed.tenants }
        : { ...parsed, faults: parsed.faults.map(describe) };
    },
    onChange(tenants) {
      const identities = identitiesOf(tenants);
      if (isDeepStrictEqual([...identities], [...present])) return;
      onChange(tenants);
      logger.info({ tenants: tenants.length, ...changesBetween(present, identities) }, 'tenants changed');
      present = identities;
    },
    logger,
    intervalMs,
  });
}

interface Identity {
  readonly name: string;
  readonly identity: string;
}

/** By tenant id, in the order of the file. */
const identitiesOf = (tenants: readonly Tenant[]): ReadonlyMap<string, Identity> =>
  new Map(tenants.map((tenant) => [tenant.tenantId, { name: tenant.name, identity: identityOf(tenant) }]));

const mostNamed = 20;

/** By name, for the log: a file that was written by halves is a valid one with fewer tenants. */
function changesBetween(before: ReadonlyMap<string, Identity>, after: ReadonlyMap<string, Identity>) {
  const named = (some: ReadonlyMap<string, Identity>, isMeant: (one: Identity, id: string) => boolean) => {
    const names = [...some].flatMap(([id, one]) => (isMeant(one, id) ? one.name : []));
    if (names.length <= mostNamed) return names;
    return [...names.slice(0, mostNamed), `and ${names.length - mostNamed} more`];
  };
  return {
    added: named(after, (_one, id) => !before.has(id)),
    removed: named(before, (_one, id) => !after.has(id)),
    changed: named(after, ({ identity }, id) => before.has(id) && before.get(id)?.identity !== identity),
  };
}

function describe({ line, message }: TenantsFault): string {
  return `line ${line}: ${message}`;
}
