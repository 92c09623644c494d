import { profileOf } from '@diq/contracts/operations/index.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import { onePerServer } from '@diq/redis/ask-owner.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { describeRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { queuesOf, type ReachableTenant } from '@diq/tenants/tenant.ts';
import { readDurability } from '../bootstrap/open-redis.ts';
import { credentialFileIn, readWorkerConfig, type WorkerConfig } from '../config.ts';
import { credentialFaults } from '../defender/auth/check-credential.ts';
import { createMsalNetworkClient } from '../defender/auth/msal-network-client.ts';
import { requestToken } from '../defender/auth/request-token.ts';

/** What a check showed, and what to do about it; `unknown`: it could not be checked. */
export interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'fault' | 'unknown';
  detail: string;
  remedy?: string;
}

const redisTimeoutMs = 5_000;
const tokenTimeoutMs = 10_000;

/** What a worker would meet with these settings, without starting one: nothing is written, and Defender is not called. */
export async function examine(env: Env): Promise<Finding[]> {
  const check = 'settings of the worker';
  let config: WorkerConfig;
  try {
    config = readWorkerConfig(env, await credentialFaults(credentialFileIn(env)));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const remedy = 'Set it as expected; .env.example names every setting.';
    return error.faults.map((detail) => ({ check, state: 'fault', detail, remedy }));
  }
  const ok: Finding = { check, state: 'ok', detail: `${config.tenants.length} tenants` };
  const [redis, ...tenants] = await Promise.all([
    examineRedis(config),
    ...config.tenants.map((tenant) => examineTenant(tenant, config.proxy)),
  ]);
  return [ok, ...(redis ?? []), ...tenants.flat()];
}

async function examineRedis({ redisAddress, tenants }: WorkerConfig): Promise<Finding[]> {
  const check = 'Redis';
  const logger = createLogger({ level: 'silent', service: 'doctor' });
  const redis = openFailFastConnection({ address: redisAddress, name: 'diq-doctor', logger });
  try {
    await waitUntilReady(redis, redisTimeoutMs);
    const spaces = tenants.flatMap(queuesOf).map(({ keySpace }) => keySpace);
    const found: Finding[] = [];
    for (const keySpace of onePerServer(redis, spaces)) {
      const { isEmbedded, risks, unchecked } = await readDurability(redis, keySpace);
      if (isEmbedded) {
        const remedy = 'It is for trials: use a Redis with an append-only file.';
        found.push({ check, state: 'warning', detail: 'embedded, and keeps nothing', remedy });
      } else if (risks.length + unchecked.length === 0)
        found.push({ check, state: 'ok', detail: 'keeps what it is given' });
      for (const { setting, found: value, expected, risk } of risks) {
        const remedy = `Set ${setting} ${expected} in its configuration.`;
        found.push({ check, state: 'fault', detail: `${setting} is ${value}: ${risk}`, remedy });
      }
      if (unchecked.length > 0) {
        const remedy = 'Look at its configuration: this user may not ask for it.';
        found.push({ check, state: 'unknown', detail: `not shown: ${unchecked.join(', ')}`, remedy });
      }
    }
    return found;
  } catch (error) {
    const remedy = 'Check REDIS_URL, network, TLS, user and password.';
    return [{ check, state: 'fault', detail: describeRedisTrouble(error), remedy }];
  } finally {
    await closeRedis(redis);
  }
}

/** Whether Entra ID gives a token, and which roles it lacks for which operation. */
async function examineTenant(
  { name, tenantId, operations, access }: ReachableTenant,
  proxy: WorkerConfig['proxy'],
): Promise<Finding[]> {
  const check = `credential of ${name}`;
  const { authorityHost } = access;
  const networkClient = createMsalNetworkClient({ authorityHost, requestTimeoutMs: tokenTimeoutMs, proxy });
  const answer = await requestToken({ ...access, tenantId, networkClient });
  await networkClient.close();
  if (answer.kind === 'failure') {
    const { code, permanent } = answer;
    const remedy = permanent
      ? 'Entra ID refuses the application: check tenant id, client id, and its secret or certificate.'
      : `Check the network to ${authorityHost}, and try again.`;
    return [{ check, state: 'fault', detail: `no token: ${code}`, remedy }];
  }
  const roles = rolesIn(answer.token);
  if (roles === undefined)
    return [{ check, state: 'unknown', detail: 'a token came, whose roles cannot be read' }];
  const lacking = [...operations.keys()].flatMap((operation): Finding[] => {
    const missing = rolesFor(profileOf(operation)).filter((role) => !roles.has(role));
    if (missing.length === 0) return [];
    const remedy = `Give the application the app role ${missing.join(' and ')} of WindowsDefenderATP, and admin consent.`;
    const detail = `${operation} lacks ${missing.join(' and ')}`;
    return [{ check: `roles of ${name}`, state: 'fault', detail, remedy }];
  });
  const ok: Finding = { check, state: 'ok', detail: 'Entra ID gives a token' };
  const enough: Finding = {
    check: `roles of ${name}`,
    state: 'ok',
    detail: `enough for ${operations.size} operations`,
  };
  return [ok, ...(lacking.length > 0 ? lacking : [enough])];
}

/** That of the call, and of what it starts: investigations are read with the role that starts them. */
function rolesFor({ requiredRole, records }: OperationProfile): string[] {
  return records.list === 'machineActions' ? [requiredRole, 'Machine.Read.All'] : [requiredRole];
}

function rolesIn(token: string): ReadonlySet<string> | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const roles = typeof claims === 'object' && claims !== null && 'roles' in claims ? claims.roles : [];
    return new Set(Array.isArray(roles) ? roles.map(String) : []);
  } catch {
    return undefined;
  }
}
