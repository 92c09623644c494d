import { z } from 'zod';
import { httpsUrl, wholeNumber } from '@diq/runtime/settings/read-settings.ts';
import type { Env } from '@diq/runtime/settings/read-settings.ts';
import { apiKeys } from '../auth/api-keys.ts';
import type { ApiKey } from '../auth/api-keys.ts';
import type { EntraSettings } from '../auth/entra-tokens.ts';
import { trustedProxies } from '../http/trusted-proxies.ts';

/** Who may call; `off` lets everybody in. */
export type AuthSettings =
  | {
      kind: 'required';
      keys: readonly ApiKey[];
      /** Where the keys came from and are read again; `undefined`: they stand in the environment. */
      keysFile: string | undefined;
      /** `undefined`: no tokens are accepted. */
      entra: EntraSettings | undefined;
    }
  | { kind: 'off' };

const guidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The settings of who may call. What is mandatory depends on what is set: keys, unless there is Entra ID or
 * INTAKE_AUTH=off is written out, since nobody gets an open service by leaving something out; and of the tenant and the
 * audience both or none.
 */
export function authShape(env: Env) {
  const keys = apiKeys().describe(
    'at least one name:scopes:sha256hex, or INTAKE_ENTRA_TENANT_ID, or INTAKE_AUTH=off written out',
  );
  const isEntraSet = Boolean(env['INTAKE_ENTRA_TENANT_ID']) || Boolean(env['INTAKE_ENTRA_AUDIENCE']);
  const tenantId = z
    .string()
    .regex(guidPattern)
    .toLowerCase()
    .describe('the GUID of the tenant that issues tokens');
  const audience = audiences().describe('what tokens are issued for: client id or api:// identifier');
  return {
    INTAKE_AUTH: z.enum(['required', 'off']).default('required'),
    INTAKE_API_KEYS: env['INTAKE_AUTH'] === 'off' || isEntraSet ? keys.optional() : keys,
    INTAKE_ENTRA_TENANT_ID: isEntraSet ? tenantId : tenantId.optional(),
    INTAKE_ENTRA_AUDIENCE: isEntraSet ? audience : audience.optional(),
    INTAKE_ENTRA_AUTHORITY_HOST: httpsUrl()
      .refine((url) => url.startsWith('https:'), 'not encrypted (expected https)')
      .prefault('https://login.microsoftonline.com'),
    INTAKE_TRUSTED_PROXIES: trustedProxies().prefault(''),
    INTAKE_MAX_REQUESTS_PER_MINUTE: wholeNumber({ max: 1_000_000 }).prefault('600'),
  };
}

type Read = { [K in keyof ReturnType<typeof authShape>]: z.output<ReturnType<typeof authShape>[K]> };

export function authSettings(read: Read, env: Env): AuthSettings {
  if (read.INTAKE_AUTH === 'off') return { kind: 'off' };
  const { INTAKE_ENTRA_TENANT_ID: tenantId, INTAKE_ENTRA_AUDIENCE: audience } = read;
  const entra =
    tenantId === undefined || audience === undefined
      ? undefined
      : { tenantId, audiences: audience, authorityHost: read.INTAKE_ENTRA_AUTHORITY_HOST };
  return {
    kind: 'required',
    keys: read.INTAKE_API_KEYS ?? [],
    keysFile: env['INTAKE_API_KEYS_FILE'] || undefined,
    entra,
  };
}

function audiences() {
  return z.string().transform((text, context): string[] => {
    const list = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    if (list.length > 0 && list.every((entry) => /^[\w:/.-]{1,256}$/.test(entry))) return list;
    context.addIssue({
      code: 'custom',
      message: 'not a list of audiences (expected client ids or api:// identifiers, separated by commas)',
    });
    return z.NEVER;
  });
}
