import { isIP } from 'node:net';
import { z } from 'zod';
import { listEntries, parseUrl } from '@diq/runtime/settings/setting-kinds.ts';
import { httpsUrl, wholeNumber, type Env } from '@diq/runtime/settings/read-settings.ts';
import { tenantName } from '@diq/tenants/tenant.ts';
import { apiKeys } from './callers.ts';

/** Whose tokens are accepted, and for whom they must have been issued. */
export interface TokenSettings {
  tenantId: string;
  /** The application's client id or its `api://` identifier, as they stand in `aud`. */
  audiences: readonly string[];
  authorityHost: string;
}

/** The same of tokens for this service, and what they reach. */
export interface EntraSettings extends TokenSettings {
  /** The tenants that its tokens reach beside the one with its id. */
  tenants?: ReadonlySet<string> | 'all' | undefined;
  /** `undefined`: people sign in to the status page by API key alone. */
  signIn?: SignInSettings;
}

/** The application as which the status page lets people sign in. */
export interface SignInSettings {
  clientId: string;
  clientSecret: string;
  /** Where browsers find the service: an origin, such as `https://queue.example.com`. */
  publicUrl: string;
}

/** As Entra ID names tenants, applications and people. */
export const guid = z
  .string()
  .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)
  .toLowerCase();

/** All of them, or none. */
const signInNames = ['INTAKE_ENTRA_CLIENT_ID', 'INTAKE_ENTRA_CLIENT_SECRET', 'INTAKE_PUBLIC_URL'] as const;

/**
 * The settings of who may call. What is mandatory depends on what is set: keys, unless there is Entra ID or
 * INTAKE_AUTH=off is written out, since no service is open because a setting was left out; of the tenant and the
 * audience both or none; and of what signing in takes all or none.
 */
export function authShape(env: Env) {
  const keys = apiKeys().describe(
    'at least one name:scopes:sha256hex, or INTAKE_ENTRA_TENANT_ID, or INTAKE_AUTH=off written out',
  );
  const isSet = (...names: string[]) => names.some((name) => Boolean(env[name]));
  const isSignInSet = isSet(...signInNames, 'INTAKE_ENTRA_CLIENT_SECRET_FILE');
  const isEntraSet = isSignInSet || isSet('INTAKE_ENTRA_TENANT_ID', 'INTAKE_ENTRA_AUDIENCE');
  const tenantId = guid.describe('the GUID of the tenant that issues tokens');
  const audience = audiences().describe('what tokens are issued for: client id or api:// identifier');
  const clientId = guid.describe('the client id of the application to which people sign in, a GUID');
  const clientSecret = z.string().describe('a client secret of that application');
  const publicUrl = httpsUrl()
    .refine(
      (url) => URL.canParse(url) && new URL(url).origin === url,
      'holds a path (expected scheme and host only)',
    )
    .describe('where browsers find the service, such as https://queue.example.com');
  return {
    INTAKE_AUTH: z.enum(['required', 'off']).default('required'),
    INTAKE_API_KEYS: env['INTAKE_AUTH'] === 'off' || isEntraSet ? keys.optional() : keys,
    INTAKE_ENTRA_TENANT_ID: isEntraSet ? tenantId : tenantId.optional(),
    INTAKE_ENTRA_AUDIENCE: isEntraSet ? audience : audience.optional(),
    INTAKE_ENTRA_CLIENT_ID: isSignInSet ? clientId : clientId.optional(),
    INTAKE_ENTRA_CLIENT_SECRET: isSignInSet ? clientSecret : clientSecret.optional(),
    INTAKE_PUBLIC_URL: isSignInSet ? publicUrl : publicUrl.optional(),
    INTAKE_ENTRA_AUTHORITY_HOST: httpsUrl()
      .refine((url) => url.startsWith('https:'), 'not encrypted (expected https)')
      .prefault('https://login.microsoftonline.com'),
    INTAKE_ENTRA_TENANTS: tenantNames().optional(),
    INTAKE_TRUSTED_PROXIES: trustedProxies().prefault(''),
    INTAKE_MAX_REQUESTS_PER_MINUTE: wholeNumber({ max: 1_000_000 }).prefault('600'),
  };
}

type Read = z.output<z.ZodObject<ReturnType<typeof authShape>>>;

/** Who may call; `off` lets everybody in. */
export function authSettings(read: Read, env: Env) {
  if (read.INTAKE_AUTH === 'off') return { kind: 'off' as const };
  const { INTAKE_ENTRA_TENANT_ID: tenantId, INTAKE_ENTRA_AUDIENCE: audiences } = read;
  const entra: EntraSettings | undefined =
    tenantId === undefined || audiences === undefined
      ? undefined
      : {
          tenantId,
          audiences,
          authorityHost: read.INTAKE_ENTRA_AUTHORITY_HOST,
          ...(read.INTAKE_ENTRA_TENANTS && { tenants: read.INTAKE_ENTRA_TENANTS }),
          ...signInOf(read),
        };
  return {
    kind: 'required' as const,
    keys: read.INTAKE_API_KEYS ?? [],
    /** Where the keys came from and are read again; `undefined`: they stand in the environment. */
    keysFile: env['INTAKE_API_KEYS_FILE'] || undefined,
    /** `undefined`: no tokens are accepted. */
    entra,
  };
}

function signInOf(read: Read): { signIn?: SignInSettings } {
  const [clientId, clientSecret, publicUrl] = signInNames.map((name) => read[name]);
  if (clientId === undefined || clientSecret === undefined || publicUrl === undefined) return {};
  return { signIn: { clientId, clientSecret, publicUrl } };
}

function tenantNames() {
  return z.string().transform((text, context): ReadonlySet<string> | 'all' => {
    if (text.trim() === '*') return 'all';
    const names = listEntries(text);
    if (names.length > 0 && names.every((name) => tenantName.test(name))) return new Set(names);
    context.addIssue({
      code: 'custom',
      message: 'not a list of tenants (expected names out of TENANTS_FILE, separated by commas, or *)',
    });
    return z.NEVER;
  });
}

function audiences() {
  return z.string().transform((text, context): string[] => {
    const list = listEntries(text);
    if (list.length > 0 && list.every((entry) => /^[\w:/.-]{1,256}$/.test(entry))) return list;
    context.addIssue({
      code: 'custom',
      message: 'not a list of audiences (expected client ids or api:// identifiers, separated by commas)',
    });
    return z.NEVER;
  });
}

/** Names for networks that Express knows: 127.0.0.0/8 and ::1; 169.254.0.0/16 and fe80::/10; 10/8, 172.16/12, 192.168/16, fc00::/7. */
const networkNames = ['loopback', 'linklocal', 'uniquelocal'];

/**
 * Addresses and networks whose `X-Forwarded-*` headers are believed. Not how many proxies there are: who reaches the
 * port without them would then be believed too.
 */
function trustedProxies() {
  return z.string().transform((text, context): string[] => {
    const entries = listEntries(text);
    const wrong = entries.find((entry) => !isNetwork(entry));
    if (wrong === undefined) return entries;
    context.addIssue({
      code: 'custom',
      message: /^\d+$/.test(wrong)
        ? 'a number of proxies is not taken: list their addresses or networks, such as 10.0.0.0/8 or uniquelocal'
        : `not a list of addresses, networks (10.0.0.0/8) and ${networkNames.join(', ')}, separated by commas`,
    });
    return z.NEVER;
  });
}

function isNetwork(entry: string): boolean {
  if (networkNames.includes(entry)) return true;
  const [address = '', bits, ...rest] = entry.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128);
}

/** A setting that lists the names under which browsers and proxies reach the service: `host` or `host:port`. */
export function hostNames() {
  return z.string().transform((text, context): string[] => {
    const entries = text.split(',').map((entry) => entry.trim());
    return entries.flatMap((entry, i) => {
      const host = /[\s/?#@*\\]/.test(entry) ? undefined : parseUrl(`https://${entry}`)?.host;
      if (host !== undefined) return [host];
      const message = `entry ${i + 1} is not usable (expected host or host:port, without scheme and path)`;
      context.addIssue({ code: 'custom', message });
      return [];
    });
  });
}
