import { z } from 'zod';
import {
  operationNames,
  operationQuotas,
  usualOperationNames,
  type OperationName,
} from '@diq/contracts/operations.ts';
import { quotaOf, quotaSettings, reserveOf } from '@diq/quota/quota-settings.ts';
import { readOrNote, SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { listEntries } from '@diq/runtime/settings/setting-kinds.ts';
import { portalOf } from './portal.ts';
import type { QueueRules, ReachableTenant, Tenant } from './tenant.ts';
import { readTenantsFile } from './watch-tenants.ts';

/** What the only tenant is called that there is without a file of tenants. */
const defaultTenantName = 'default';

/** Settings of that tenant. With a file of tenants they have no meaning. */
const ofDefaultTenant = [
  'AZURE_TENANT_ID',
  'DEFENDER_OPERATION',
  'DEFENDER_OPERATIONS',
  'DEFENDER_CALLS_PER_WINDOW',
  'DEFENDER_WINDOW',
  'QUOTA_RESERVE_CRITICAL',
] as const;

/** The settings that say which tenants there are and what holds for their calls; the same for intake and worker. */
export function tenantShape(env: Env) {
  const { AZURE_TENANT_ID: tenantId } = quotaSettings;
  return {
    ...quotaSettings,
    AZURE_TENANT_ID: env['TENANTS_FILE'] ? tenantId.optional() : tenantId,
    DEFENDER_OPERATIONS: operationList().optional(),
    TENANTS_FILE: z.string().optional(),
  };
}

type TenantSettings = z.output<z.ZodObject<ReturnType<typeof tenantShape>>>;

/**
 * The tenants by the settings: those of the file, with what their Defender is called by, or the one of the environment.
 *
 * @throws SettingsError with every fault of the file, and of settings that do not go with it
 */
export function tenantsOf(
  settings: TenantSettings & { DEFENDER_BASE_URL?: string | undefined },
  env: Env,
): { file: string; tenants: readonly ReachableTenant[] } | { file: undefined; tenants: readonly [Tenant] } {
  const { TENANTS_FILE: file, AZURE_TENANT_ID: tenantId = '', DEFENDER_BASE_URL: baseUrl } = settings;
  const portal = baseUrl === undefined ? undefined : portalOf(baseUrl);
  if (file === undefined) return { file, tenants: [defaultTenant(settings, tenantId, portal)] };
  const faults = faultsWithFile(env, file);
  if (faults.length > 0) throw new SettingsError(faults);
  return { file, tenants: readTenantsFile(file) };
}

/**
 * What `read` gives of the other settings.
 *
 * @throws SettingsError with their faults and, if a file of tenants is named, its faults and what does not go with it
 */
export function withFaultsOfFile<T>(env: Env, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { TENANTS_FILE: file } = env;
    if (!(error instanceof SettingsError) || !file) throw error;
    throw new SettingsError([...error.faults, ...faultsWithFile(env, file)]);
  }
}

function faultsWithFile(env: Env, file: string): readonly string[] {
  const faults = ofDefaultTenant
    .filter((name) => env[name])
    .map((name) => `${name}: set together with TENANTS_FILE (expected in that file, or no file)`);
  readOrNote(() => readTenantsFile(file), faults);
  return faults;
}

function defaultTenant(settings: TenantSettings, tenantId: string, portal: string | undefined): Tenant {
  const { DEFENDER_OPERATION: defaultOperation, DEFENDER_OPERATIONS: further = [] } = settings;
  const own: QueueRules = { ...quotaOf(settings), reserveForCritical: reserveOf(settings) };
  const others = further.filter((operation) => operation !== defaultOperation);
  const operations = new Map<OperationName, QueueRules>([
    [defaultOperation, own],
    ...others.map((operation) => [operation, defaultRules(operation)] as const),
  ]);
  return {
    name: defaultTenantName,
    tenantId: tenantId.toLowerCase(),
    ...(portal === undefined ? {} : { portal }),
    defaultOperation,
    operations,
  };
}

function defaultRules(operation: OperationName): QueueRules {
  return { ...operationQuotas[operation], reserveForCritical: 0 };
}

function operationList() {
  return z.string().transform((text, context): OperationName[] => {
    const names = listEntries(text);
    if (names.length === 1 && names[0] === 'all') return [...usualOperationNames];
    const known = operationNames.filter((name) => names.includes(name));
    if (names.length > 0 && names.every((name) => known.some((one) => one === name))) return known;
    const message = `not a list of operations (expected all, or some of ${operationNames.join(', ')}, separated by commas)`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}
