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
import { requestToken, type TokenAnswer } from '../defender/auth/request-token.ts';

/** What a check showed, and what to do about it; `unknown`: it could not be checked. */
export interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'fault' | 'unknown';
  detail: string;
  remedy?: string;
}

const redisTimeoutMs = 5_000;
const tokenTimeoutMs = 10_000;
/** Token requests at the same time: thousands at once would be refused, and tell nothing of the credentials. */
const mostAtOnce = 10;
/** Less than `diq doctor` waits for all of it. */
const usualAskForMs = 60_000;

/**
 * What a worker would meet with these settings, without starting one: nothing is written, and Defender is not called.
 *
 * @param options.askForMs tenants that were not begun with in this time are reported as not checked; 60 s by default
 */
export async function examine(env: Env, { askForMs = usualAskForMs } = {}): Promise<Finding[]> {
  const check = 'settings of the worker';
  let config: WorkerConfig;
  try {
    config = readWorkerConfig(env, await credentialFaults(credentialFileIn(env)));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const remedy = 'Set it as expected; .env.example names every setting.';
    return error.faults.map((detail) => ({ check, state: 'fault', detail, remedy }));
  }
  const ok: Finding = { check, state: 'ok', detail: counted(config.tenants.length, 'tenant') };
  const found = await Promise.all([examineRedis(config), examineTenants(config, askForMs)]);
  return [ok, ...found.flat()];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

async function examineTenants({ tenants, proxy }: WorkerConfig, askForMs: number): Promise<Finding[]> {
  const endsAtMs = performance.now() + askForMs;
  const found: Finding[][] = [];
  const left = tenants.entries();
  const askOneByOne = async () => {
    while (performance.now() < endsAtMs) {
      const { done, value } = left.next();
      if (done) return;
      found[value[0]] = await examineTenant(value[1], proxy);
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, askOneByOne));
  const notAsked = tenants.slice(found.length);
  if (notAsked.length === 0) return found.flat();
  const detail = `not asked for within ${askForMs / 1_000} s: those of ${counted(notAsked.length, 'tenant')}, from ${notAsked[0]?.name} on`;
  const remedy = 'Check these with a TENANTS_FILE that holds them alone.';
  return [...found.flat(), { check: 'credentials', state: 'unknown', detail, remedy }];
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
      const { isEmbedded, risks, unchecked, err } = await readDurability(redis, keySpace);
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
        const why = err === undefined ? 'it does not show them' : `it ${describeRedisTrouble(err)}`;
        const detail = `not checked: ${unchecked.join(', ')}; ${why}`;
        found.push({ check, state: 'unknown', detail, remedy: 'Look at its configuration.' });
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
  let answer: TokenAnswer;
  try {
    answer = await requestToken({ ...access, tenantId, networkClient });
  } finally {
    await networkClient.close();
  }
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
    detail: `enough for ${counted(operations.size, 'operation')}`,
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
