import { z } from 'zod';
import { maxBatchItems } from '@diq/contracts/investigation-item.ts';
import type { Tenant } from '@diq/tenants/tenant.ts';
import { tenantShape, tenantsOf, withFaultsOfFile } from '@diq/tenants/tenant-settings.ts';
import {
  duration,
  flag,
  httpsUrl,
  logLevel,
  port,
  positiveInt,
  readOrNote,
  readSettings,
  SettingsError,
  trimEnv,
  type Env,
} from '@diq/runtime/settings/read-settings.ts';
import { proxyOf, proxySecrets, proxyShape } from '@diq/runtime/http-client/proxy-settings.ts';
import { redisAddressOf, redisSecrets, redisShape } from '@diq/redis/redis-settings.ts';
import { authSettings, authShape, hostNames } from './auth-settings.ts';
import { allowedHosts } from './allowed-hosts.ts';
import { callbackSecrets } from './callback-secrets.ts';
import { frontDoorSettings, frontDoorShape } from './front-door-settings.ts';
import { mcpSettings, mcpShape } from './mcp-settings.ts';
import { orderShape, prioritySettingsOf } from './priority-settings.ts';

/** The settings of the intake API, checked. */
export type IntakeSettings = ReturnType<typeof readIntakeSettings>;

/** What decides whether new work is accepted. */
export type BackPressureSettings = IntakeSettings['backPressure'];

/** What governs callbacks. There are none without it. */
export type CallbackSettings = NonNullable<ReturnType<typeof callbackSettings>>;

/** @throws SettingsError with every fault at once. */
export function readIntakeSettings(given: Env) {
  const env = trimEnv(given);
  const options = {
    secrets: [
      'INTAKE_API_KEYS',
      'INTAKE_ENTRA_CLIENT_SECRET',
      ...redisSecrets,
      ...proxySecrets,
      'CALLBACK_SECRET',
    ],
    lists: [
      'INTAKE_API_KEYS',
      'INTAKE_ENTRA_AUDIENCE',
      'INTAKE_HOST_NAMES',
      'CALLBACK_ALLOWED_HOSTS',
      'CALLBACK_SECRET',
      'FRONT_DOOR_CLIENTS',
    ],
  };
  const settings = withFaultsOfFile(env, () => readSettings(schemaFor(env), env, options));
  const auth = authSettings(settings, env);
  const faults: string[] = [];
  const found = readOrNote(() => tenantsOf(settings, env), faults);
  if (found) readOrNote(() => refuseKeysWithoutTenant(auth, found.tenants), faults);
  const priorities = readOrNote(() => prioritySettingsOf(settings), faults);
  const frontDoor = readOrNote(() => frontDoorSettings(settings), faults);
  if (!found || !priorities || faults.length > 0) throw new SettingsError(faults);
  const { file: tenantsFile, tenants } = found;
  return {
    redisAddress: redisAddressOf(settings),
    /** `undefined`: Entra ID, Defender and the receivers of callbacks are reached directly. */
    proxy: proxyOf(settings),
    /** So many replicas must have what is accepted before it is answered. */
    waitReplicas: settings.REDIS_WAIT_REPLICAS,
    port: settings.INTAKE_PORT,
    /** `undefined`: every address of the machine. */
    host: settings.INTAKE_HOST,
    auth,
    /** Proxies in front of the service, whose `X-Forwarded-For` tells a caller's address. */
    trustedProxies: settings.INTAKE_TRUSTED_PROXIES,
    /** Under which browsers and proxies reach the service, beside addresses, `localhost` and the machine's name. */
    hostNames: [
      ...(settings.INTAKE_HOST_NAMES ?? []),
      ...(settings.INTAKE_PUBLIC_URL === undefined ? [] : [new URL(settings.INTAKE_PUBLIC_URL).host]),
    ],
    /** 0: as many as a caller likes. */
    maxRequestsPerMinute: settings.INTAKE_MAX_REQUESTS_PER_MINUTE,
    /** At the start; those of the file can change. */
    tenants: tenants as readonly Tenant[],
    /** `undefined`: the one tenant stands in the environment. */
    tenantsFile,
    callTimeoutMs: settings.DEFENDER_CALL_TIMEOUT,
    /** How long settled requests and completed batches can be read. */
    retentionMs: settings.RETENTION,
    /** How long the record of who did what can be read. */
    auditRetentionMs: settings.AUDIT_RETENTION,
    /** Whether the workers see the ends of results. */
    followsResults: settings.FOLLOW_UP,
    /** Who goes before whom. */
    priorities,
    /** An investigation that was started less than this ago is shared; 0: none is. */
    reuseWindowMs: settings.REUSE_WINDOW,
    backPressure: {
      /** Requests that may be queued. */
      maxBacklog: settings.INTAKE_MAX_BACKLOG,
      /** Of them, requests of one caller: so that it cannot keep all others out. */
      maxBacklogOfCaller: settings.INTAKE_MAX_BACKLOG_PER_CALLER ?? shareOfBacklog(settings),
      /** Of Redis' `maxmemory`, from which on nothing new is accepted. */
      maxMemoryShare: settings.INTAKE_MAX_MEMORY_PERCENT / 100,
      /** Of `maxmemory`, how much may be stored of one caller; `undefined`: what there is room for. */
      maxMemoryShareOfCaller: shareOfMemory(settings),
      /** Time within which everything that is accepted is expected to be started; `undefined`: any. */
      maxDrainMs: settings.INTAKE_MAX_DRAIN,
    },
    /** `undefined`: callbacks are refused. */
    callbacks: callbackSettings(settings),
    /** `undefined`: it is closed. */
    frontDoor,
    /** `undefined`: it is closed. */
    mcp: mcpSettings(settings),
  };
}

type Settings = z.output<ReturnType<typeof schemaFor>>;

/** @throws SettingsError for keys that name no tenant where there are several */
function refuseKeysWithoutTenant(auth: ReturnType<typeof authSettings>, tenants: readonly Tenant[]): void {
  if (auth.kind === 'off' || tenants.length < 2) return;
  const names = new Set(auth.keys.filter((key) => key.tenants === undefined).map(({ name }) => name));
  if (names.size === 0) return;
  throw new SettingsError([
    `INTAKE_API_KEYS: ${[...names].join(', ')} without tenants (expected name:scopes:sha256hex:tenants, names joined by + or *, since there are several)`,
  ]);
}

function callbackSettings(settings: Settings) {
  if (settings.CALLBACK_ALLOWED_HOSTS === undefined) return undefined;
  return {
    allowedHosts: settings.CALLBACK_ALLOWED_HOSTS,
    /** `whsec_…`; a receiver's own are derived from them, and each of those signs. */
    secrets: settings.CALLBACK_SECRET ?? [],
    /** Calls to one host, over all intakes. */
    maxPerMinute: settings.CALLBACK_MAX_PER_MINUTE,
    /** Plain http too. */
    allowHttp: settings.CALLBACK_ALLOW_HTTP,
    /** Also loopback, link-local and private addresses. */
    allowPrivate: settings.CALLBACK_ALLOW_PRIVATE,
  };
}

/** Half of what may be queued, and a whole batch at least. Where all callers are one, there are no others. */
function shareOfBacklog({ INTAKE_MAX_BACKLOG: maxBacklog, INTAKE_AUTH: auth }: Settings): number {
  if (auth === 'off') return maxBacklog;
  return Math.min(maxBacklog, Math.max(maxBatchItems, Math.floor(maxBacklog / 2)));
}

/** Half of what may be in use before new work is refused. Where all callers are one, there are no others. */
function shareOfMemory(settings: Settings): number | undefined {
  const { INTAKE_MAX_MEMORY_PERCENT: ofAll, INTAKE_MAX_MEMORY_PERCENT_PER_CALLER: ofCaller } = settings;
  return settings.INTAKE_AUTH === 'off' ? undefined : (ofCaller ?? ofAll / 2) / 100;
}

function schemaFor(env: Env) {
  const secret = callbackSecrets().describe('whsec_ and Base64, which signs callbacks');
  return z.object({
    ...redisShape(env),
    ...proxyShape(env),
    INTAKE_PORT: port().prefault('8080'),
    INTAKE_HOST: z.string().optional(),
    INTAKE_HOST_NAMES: hostNames().optional(),
    ...authShape(env),
    ...frontDoorShape,
    ...mcpShape,
    ...tenantShape(env),
    // The worker's; here it says which portal links lead to.
    DEFENDER_BASE_URL: httpsUrl().default('https://api.securitycenter.windows.com'),
    // The worker's; here it says what counts as running at Defender.
    FOLLOW_UP: flag().default(true),
    ...orderShape,
    // The investigation started last is kept for a day.
    REUSE_WINDOW: duration({ minMs: 0, maxMs: 24 * 3_600_000 }).prefault('1h'),
    INTAKE_MAX_BACKLOG: positiveInt({ max: 10_000_000 }).prefault('50000'),
    INTAKE_MAX_BACKLOG_PER_CALLER: positiveInt({ max: 10_000_000 }).optional(),
    INTAKE_MAX_MEMORY_PERCENT: positiveInt({ max: 100 }).prefault('80'),
    INTAKE_MAX_MEMORY_PERCENT_PER_CALLER: positiveInt({ max: 100 }).optional(),
    INTAKE_MAX_DRAIN: duration({ minMs: 1_000 }).optional(),
    CALLBACK_ALLOWED_HOSTS: allowedHosts().optional(),
    CALLBACK_SECRET: env['CALLBACK_ALLOWED_HOSTS'] ? secret : secret.optional(),
    CALLBACK_MAX_PER_MINUTE: positiveInt({ max: 10_000 }).prefault('60'),
    CALLBACK_ALLOW_HTTP: flag().prefault('off'),
    CALLBACK_ALLOW_PRIVATE: flag().prefault('off'),
    AUDIT_RETENTION: duration({ minMs: 1_000 }).prefault('90d'),
    LOG_LEVEL: logLevel().default('info'),
  });
}
