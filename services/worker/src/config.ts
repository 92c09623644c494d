import { z } from 'zod';
import {
  duration,
  flag,
  logLevel,
  port,
  readOrNote,
  readSettings,
  share,
  SettingsError,
  trimEnv,
  type Env,
} from '@diq/runtime/settings/read-settings.ts';
import { proxyOf, proxySecrets, proxyShape } from '@diq/runtime/http-client/proxy-settings.ts';
import { redisAddressOf, redisSecrets, redisShape } from '@diq/redis/redis-settings.ts';
import { authorityHost, defenderBaseUrl } from '@diq/tenants/hosts.ts';
import type { DefenderAccess, ReachableTenant } from '@diq/tenants/tenant.ts';
import { tenantShape, tenantsOf, withFaultsOfFile } from '@diq/tenants/tenant-settings.ts';
import { coldStartModes } from './maintenance/bootstrap-ledger.ts';
import { credentialSettings, type Credential } from './defender/auth/load-credential.ts';
import { usualEveryMs } from './follow-up/read-schedule.ts';

const second = 1_000;
const day = 24 * 3_600 * second;

const settings = {
  WORKER_PORT: port().default(9091),
  WORKER_HOST: z.string().optional(),
  DEFENDER_RECONCILE_GRACE: duration({ minMs: second, maxMs: day }).default(600 * second),
  DEFENDER_READ_SHARE: share().default(0.5),
  LOOK_BEFORE_CALL: flag().default(true),
  FOLLOW_UP: flag().default(true),
  FOLLOW_UP_EVERY: duration({ minMs: second, maxMs: 600 * second }).default(usualEveryMs),
  DEFENDER_ON_UNKNOWN: z.enum(['fail', 'retry']).default('fail'),
  QUOTA_COLD_START: z.enum(coldStartModes).default('reconstruct'),
  READY_STALL_AFTER: duration({ minMs: second }).default(60 * second),
  LOG_LEVEL: logLevel().default('info'),
};

/** With what and where Defender is called for the one tenant that there is without a file of tenants. */
const accessSettings = {
  AZURE_CLIENT_ID: z.guid().describe("the application's client id, a GUID"),
  AZURE_CLIENT_SECRET: z.string().optional(),
  AZURE_CLIENT_CERTIFICATE_PATH: z.string().optional(),
  AZURE_FEDERATED_TOKEN_FILE: z.string().optional(),
  AZURE_AUTHORITY_HOST: authorityHost().default('https://login.microsoftonline.com'),
  DEFENDER_BASE_URL: defenderBaseUrl().default('https://api.securitycenter.windows.com'),
  DEFENDER_SCOPE: z.string().default('https://api.securitycenter.microsoft.com/.default'),
};

const schemaFor = (env: Env) =>
  z.object({ ...redisShape(env), ...tenantShape(env), ...proxyShape(env), ...settings });
const accessSchema = z.object(accessSettings);

type Settings = z.output<ReturnType<typeof schemaFor>>;
type AccessSettings = z.output<typeof accessSchema>;

const credentialNames = Object.values(credentialSettings);

/** Settings that may come from a file named by `NAME_FILE`, and appear in no message. */
const secrets: readonly string[] = [...redisSecrets, 'AZURE_CLIENT_SECRET'];

export type WorkerConfig = ReturnType<typeof readWorkerConfig>;

/**
 * The worker's settings, checked.
 *
 * @param furtherFaults found in the files that settings name; reported with the others
 * @throws SettingsError naming every fault at once
 */
export function readWorkerConfig(untrimmed: Env, furtherFaults: readonly string[] = []) {
  const env = trimEnv(untrimmed);
  const faults: string[] = [];
  const read = readOrNote(
    () =>
      withFaultsOfFile(env, () =>
        readSettings(schemaFor(env), env, { secrets: [...redisSecrets, ...proxySecrets] }),
      ),
    faults,
  );
  const access = env['TENANTS_FILE'] ? undefined : readOrNote(() => accessIn(env), faults);
  const tenants = read && readOrNote(() => reachableTenants(read, env, access), faults);
  faults.push(...furtherFaults);
  if (!read || !tenants || faults.length > 0) throw new SettingsError([...new Set(faults)]);
  return { ...configOf(read), tenants };
}

function reachableTenants(
  read: Settings,
  env: Env,
  access: DefenderAccess | undefined,
): readonly ReachableTenant[] {
  const found = tenantsOf(read, env);
  if (found.file !== undefined) return found.tenants;
  // Without it there is a fault already.
  return access ? found.tenants.map((tenant) => ({ ...tenant, access })) : [];
}

function configOf(read: Settings) {
  return {
    redisAddress: redisAddressOf(read),
    /** `undefined`: Entra ID and Defender are reached directly. */
    proxy: proxyOf(read),
    waitReplicas: read.REDIS_WAIT_REPLICAS,
    port: read.WORKER_PORT,
    host: read.WORKER_HOST,
    /** Watched. Without it the tenant is in the environment. */
    tenantsFile: read.TENANTS_FILE,
    callTimeoutMs: read.DEFENDER_CALL_TIMEOUT,
    reconcile: { graceMs: read.DEFENDER_RECONCILE_GRACE, onUnknown: read.DEFENDER_ON_UNKNOWN },
    readShare: read.DEFENDER_READ_SHARE,
    lookBeforeCall: read.LOOK_BEFORE_CALL,
    followUp: read.FOLLOW_UP,
    followUpEveryMs: read.FOLLOW_UP_EVERY,
    coldStart: read.QUOTA_COLD_START,
    readyStallAfterMs: read.READY_STALL_AFTER,
    retentionMs: read.RETENTION,
  };
}

function accessIn(env: Env): DefenderAccess {
  const faults: string[] = [];
  const read = readOrNote(
    () => readSettings(accessSchema, env, { secrets: ['AZURE_CLIENT_SECRET'] }),
    faults,
  );
  const given = credentialsIn(env);
  if (given.length === 0)
    faults.push(`${credentialNames.join(' | ')}: not set (expected exactly one of them)`);
  if (given.length > 1) faults.push(`${given.join(', ')}: set together (expected exactly one of them)`);
  if (!read || faults.length > 0) throw new SettingsError(faults);
  return {
    clientId: read.AZURE_CLIENT_ID,
    credential: credentialOf(read),
    authorityHost: read.AZURE_AUTHORITY_HOST,
    baseUrl: read.DEFENDER_BASE_URL,
    scope: read.DEFENDER_SCOPE,
  };
}

/** The credential that lies in a file, if it is the only one that is set. It is checked before the worker starts. */
export function credentialFileIn(untrimmed: Env): Credential | undefined {
  const env = trimEnv(untrimmed);
  const [name, ...others] = credentialsIn(env);
  const path = env[name ?? ''];
  if (path === undefined || others.length > 0 || name === 'AZURE_CLIENT_SECRET') return undefined;
  return { kind: name === 'AZURE_CLIENT_CERTIFICATE_PATH' ? 'certificate' : 'federated', path };
}

/** Only a secret can come from a file of its own; the other credentials are paths already. */
function credentialsIn(env: Env) {
  return credentialNames.filter((name) => env[name] || (secrets.includes(name) && env[`${name}_FILE`]));
}

function credentialOf(read: AccessSettings): Credential {
  if (read.AZURE_CLIENT_SECRET !== undefined) return { kind: 'secret', secret: read.AZURE_CLIENT_SECRET };
  if (read.AZURE_CLIENT_CERTIFICATE_PATH !== undefined) {
    return { kind: 'certificate', path: read.AZURE_CLIENT_CERTIFICATE_PATH };
  }
  return { kind: 'federated', path: read.AZURE_FEDERATED_TOKEN_FILE ?? '' };
}
