import type { RequestHandler, Response } from 'express';
import type { Identity } from '../auth/api-keys.ts';
import { identifyCredential } from '../auth/authenticate.ts';
import type { FailedCredentials } from '../auth/brute-force-guard.ts';
import { ProblemError } from '../http/problem-error.ts';
import { challenge, contextOf } from '../http/request-context.ts';
import type { KnownTenant, QueueDirectory } from '../queues/queue-directory.ts';
import type { DoorTokens } from './door-tokens.ts';
import type { DoorCaller, MicrosoftTokens } from './microsoft-tokens.ts';

/** Who asks at the front door, and about which tenant. */
export interface Asker {
  readonly caller: DoorCaller;
  readonly tenant: KnownTenant;
  /** With what it is let in at Defender itself; `undefined` for a token of ours, which is worth nothing there. */
  readonly microsoftToken: string | undefined;
}

interface IdentifyDeps {
  tokens: DoorTokens;
  microsoft: MicrosoftTokens;
  failedCredentials: FailedCredentials;
  directory: Pick<QueueDirectory, 'tenantsOf'>;
}

/** The asker of a request that was let in. */
export function askerOf(response: Response): Asker {
  return response.locals['asker'] as Asker;
}

/** Lets in who has a token of the own endpoint, or of Microsoft's and is listed. The token says which tenant is meant. */
export function identifyAsker(deps: IdentifyDeps): RequestHandler {
  const { tokens, microsoft, failedCredentials, directory } = deps;

  async function identify(token: string): Promise<Identity> {
    if (microsoft.isToken(token)) return await microsoft.identify(token);
    const found = tokens.isToken(token) ? await tokens.find(token) : undefined;
    if (!found) return { kind: 'unknown', why: 'The token is not known here, or over.' };
    const { key, tenantId } = found;
    const tenant = directory.tenantsOf(key).find((one) => one.tenant.tenantId === tenantId);
    if (!tenant) return { kind: 'unknown', why: 'The tenant of the token is reached no more.' };
    const { name, scopes } = key;
    return { kind: 'known', caller: { name, scopes, tenants: new Set([tenant.tenant.name]) } };
  }

  return async (request, response, next) => {
    const token = presentedToken(request.headersDistinct['authorization']);
    const caller: DoorCaller = await identifyCredential(identify, failedCredentials, response, token);
    const tenant = tenantOf(caller, directory);
    // It reaches this tenant alone, also where there is no other: what is listed is the pair.
    const own = { ...caller, tenants: new Set(tenant ? [tenant.tenant.name] : []) };
    contextOf(response).identified = own;
    const named = request.params['tenant'];
    if (!tenant || (named !== undefined && named !== tenant.tenant.name))
      throw new ProblemError('tenant_not_found', { detail: 'The token reaches no such tenant.' });
    const microsoftToken = microsoft.isToken(token) ? token : undefined;
    response.locals['asker'] = { caller: own, tenant, microsoftToken } satisfies Asker;
    next();
  };
}

function tenantOf(caller: DoorCaller, directory: IdentifyDeps['directory']): KnownTenant | undefined {
  const reached = directory.tenantsOf(caller);
  const { entraTenantId } = caller;
  return entraTenantId === undefined
    ? reached[0]
    : reached.find(({ tenant }) => tenant.tenantId === entraTenantId);
}

function presentedToken(sent: readonly string[] | undefined): string {
  const token = sent?.length === 1 ? /^Bearer +(\S+) *$/i.exec(sent[0] ?? '')?.[1] : undefined;
  if (token !== undefined) return token;
  throw new ProblemError('unauthenticated', {
    detail: 'Send one token as `Authorization: Bearer <token>`.',
    headers: { 'WWW-Authenticate': challenge() },
  });
}
