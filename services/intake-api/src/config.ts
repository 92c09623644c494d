import { z } from 'zod';
import { keySpace } from '@diq/contracts/key-space.ts';
import { operationNames, operationQuotas } from '@diq/contracts/operations.ts';
import type { LedgerSettings } from '@diq/quota/ledger.ts';
import { duration, logLevel, port, positiveInt, readSettings } from '@diq/runtime/read-settings.ts';
import type { Env } from '@diq/runtime/read-settings.ts';
import { redisUrl } from '@diq/runtime/redis.ts';
import { apiKeys } from './api-keys.ts';
import type { ApiKey } from './api-keys.ts';

/** The settings of the intake API, checked. */
export interface IntakeSettings {
  redisUrl: string;
  port: number;
  /** `undefined`: every address of the machine. */
  host: string | undefined;
  /** Who may call; `off` lets everybody in. */
  auth: { kind: 'keys'; keys: readonly ApiKey[] } | { kind: 'off' };
  operation: (typeof operationNames)[number];
  keySpace: string;
  /** What is told of the quota until a worker has written its own settings. */
  ledger: LedgerSettings;
  /** How long settled requests and completed batches can be read. */
  retentionMs: number;
}

const tenantIdPattern =
  /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+)$/i;

/** @throws SettingsError with every fault at once. */
export function readIntakeSettings(env: Env): IntakeSettings {
  const settings = readSettings(schemaFor(env), env, { secrets: ['INTAKE_API_KEYS', 'REDIS_URL'] });
  const operation = settings.DEFENDER_OPERATION;
  const quota = operationQuotas[operation];
  return {
    redisUrl: settings.REDIS_URL,
    port: settings.INTAKE_PORT,
    host: settings.INTAKE_HOST,
    auth:
      settings.INTAKE_AUTH === 'off'
        ? { kind: 'off' }
        : { kind: 'keys', keys: settings.INTAKE_API_KEYS ?? [] },
    operation,
    keySpace: keySpace({ tenantId: settings.AZURE_TENANT_ID, operation }),
    ledger: {
      limit: settings.DEFENDER_CALLS_PER_WINDOW ?? quota.limit,
      windowMs: settings.DEFENDER_WINDOW ?? quota.windowMs,
      callTimeoutMs: settings.DEFENDER_CALL_TIMEOUT,
    },
    retentionMs: settings.RETENTION,
  };
}

/** Keys are optional only for who wrote INTAKE_AUTH=off: nobody gets an open service by leaving something out. */
function schemaFor(env: Env) {
  const keys = apiKeys().describe('at least one name:scopes:sha256hex, or INTAKE_AUTH=off written out');
  return z.object({
    REDIS_URL: redisUrl().describe('redis://host:6379 or rediss://host:6379'),
    INTAKE_PORT: port().prefault('8080'),
    INTAKE_HOST: z.string().optional(),
    INTAKE_AUTH: z.enum(['required', 'off']).default('required'),
    INTAKE_API_KEYS: env['INTAKE_AUTH'] === 'off' ? keys.optional() : keys,
    AZURE_TENANT_ID: z
      .string()
      .regex(tenantIdPattern)
      .describe('the tenant id, a GUID, or a domain of the tenant; the same as for the worker'),
    DEFENDER_OPERATION: z.enum(operationNames).default('initiateInvestigation'),
    DEFENDER_CALLS_PER_WINDOW: positiveInt({ max: 10_000 }).optional(),
    DEFENDER_WINDOW: duration({ minMs: 100 }).optional(),
    DEFENDER_CALL_TIMEOUT: duration({ minMs: 100 }).prefault('30s'),
    RETENTION: duration({ minMs: 1_000 }).prefault('30d'),
    LOG_LEVEL: logLevel().default('info'),
  });
}
