import { randomUUID, type X509Certificate } from 'node:crypto';
import express, { type Request, type Response, type Router } from 'express';
import type { ArrivalLog } from '../arrival-log.ts';
import { answerAuthorizeRequest } from './authorize-route.ts';
import { judgeAssertion } from './client-assertion.ts';
import type { Clock } from '../clock.ts';
import type { SimulatorSettings } from '../config.ts';
import type { Deliver } from '../deliver.ts';
import { entraErrorReply, type EntraErrorCode } from './entra-errors.ts';
import type { FaultPlan } from '../fault-plan.ts';
import { requestOrigin, type Reply } from '../reply.ts';
import type { SignIns } from './sign-ins.ts';
import { sameSecret, type Tokens } from '../tokens.ts';

export interface TokenRequestDetails {
  tenant: string;
  clientId: string;
  credential: 'secret' | 'assertion' | 'none';
}

export interface EntraDeps {
  clock: Clock;
  settings: SimulatorSettings;
  /** For applications that prove themselves by a certificate. */
  clientCertificate?: X509Certificate | undefined;
  tokens: Tokens;
  signIns: SignIns;
  faults: FaultPlan;
  deliver: Deliver;
  log: ArrivalLog<TokenRequestDetails>;
}

/** The resources whose tokens Defender takes: its names in the public cloud, old and new, and in the government ones. */
const defenderScopes = new Set(
  [
    'https://api.securitycenter.microsoft.com',
    'https://api.securitycenter.windows.com',
    'https://securitycenter.onmicrosoft.com/windowsatpservice',
    'https://api-gcc.securitycenter.microsoft.us',
    'https://api-gov.securitycenter.microsoft.us',
  ].map((resource) => `${resource}/.default`),
);

/** The v2.0 endpoints of one tenant, and the discovery documents that clients read before they use them. */
export function createEntraRoutes(deps: EntraDeps): Router {
  const { clock, settings } = deps;
  const router = express.Router();

  router.post('/:tenant/oauth2/v2.0/token', express.urlencoded({ extended: false }), (req, res) =>
    answerTokenRequest(deps, req, res),
  );

  router.get('/:tenant/oauth2/v2.0/authorize', (req, res) => answerAuthorizeRequest(deps, req, res));

  router.get('/:tenant/discovery/v2.0/keys', (_req, res) => void res.json(deps.signIns.publicKeys()));

  router.get('/:tenant/v2.0/.well-known/openid-configuration', (req, res) => {
    sendDiscovery(req, res, settings.tenantId, clock.wallMs());
  });

  router.get('/common/discovery/instance', (req, res) => {
    const host = new URL(requestOrigin(req)).host;
    res.json({
      tenant_discovery_endpoint: `${requestOrigin(req)}/${settings.tenantId}/v2.0/.well-known/openid-configuration`,
      'api-version': '1.1',
      metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
    });
  });

  return router;
}

async function answerTokenRequest(deps: EntraDeps, req: Request, res: Response): Promise<void> {
  const { clock, settings, tokens, faults, deliver, log } = deps;
  const request = tokenRequestOf(req);
  const { tenant, clientId } = request;
  const entry = log.arrived({ tenant, clientId, credential: credentialOf(request) });
  const action = faults.next('token', {});
  const subject = { ...request, wallMs: clock.wallMs() };
  const signsIn = request.grantType === 'authorization_code' && sameName(tenant, settings.tenantId);
  const judged = () => (signsIn ? undefined : judge(request, deps));
  const refusal = action?.kind === 'token-refused' ? action.error : judged();
  await deliver(req, res, action, {
    perform: () => {
      if (refusal !== undefined) return entraErrorReply(refusal, subject);
      if (!signsIn) return tokenReply(tokens.issue(settings), settings.tokenLifetimeS);
      const redeemed = deps.signIns.redeem({
        ...request,
        clientSecret: request.secret,
        tenantId: settings.tenantId,
      });
      if (redeemed.kind === 'refused') return entraErrorReply(redeemed.error, subject);
      // The access token is for reading who signed in, and none that Defender takes.
      return tokenReply(randomUUID(), settings.tokenLifetimeS, { id_token: redeemed.idToken });
    },
    failure: (status) => ({ ...entraErrorReply('AADSTS90033', subject), status }),
    decided: (status) => log.settle(entry, status),
  });
}

function credentialOf({ assertion, secret }: FormRequest): TokenRequestDetails['credential'] {
  if (assertion !== undefined) return 'assertion';
  return secret === undefined ? 'none' : 'secret';
}

interface FormRequest {
  tenant: string;
  grantType: string | undefined;
  clientId: string;
  secret: string | undefined;
  assertion: string | undefined;
  assertionType: string | undefined;
  scope: string;
  code: string;
  redirectUri: string | undefined;
  codeVerifier: string | undefined;
  issuer: string;
  /** The names under which this client may know the endpoint. */
  audiences: string[];
  correlationId: string | undefined;
}

function tokenRequestOf(req: Request): FormRequest {
  const form = (req.body ?? {}) as Record<string, unknown>;
  const field = (name: string) => (typeof form[name] === 'string' ? form[name] : undefined);
  const tenant = String(req.params['tenant']);
  const origin = requestOrigin(req);
  return {
    tenant,
    grantType: field('grant_type'),
    clientId: field('client_id') ?? '',
    secret: field('client_secret'),
    code: field('code') ?? '',
    redirectUri: field('redirect_uri'),
    codeVerifier: field('code_verifier'),
    issuer: `${origin}/${tenant}/v2.0`,
    assertion: field('client_assertion'),
    assertionType: field('client_assertion_type'),
    scope: field('scope') ?? '',
    audiences: [`${origin}/${tenant}/oauth2/v2.0/token`, `${origin}/${tenant}/v2.0`],
    correlationId: req.get('client-request-id') ?? field('client-request-id'),
  };
}

/** The reason to refuse, in the order in which Entra ID looks; undefined to issue a token. */
function judge(request: FormRequest, deps: EntraDeps): EntraErrorCode | undefined {
  const { settings } = deps;
  if (!sameName(request.tenant, settings.tenantId)) return 'AADSTS90002';
  if (request.grantType === undefined || request.clientId === '' || request.scope === '')
    return 'AADSTS900144';
  if (request.grantType !== 'client_credentials') return 'AADSTS70003';
  if (!sameName(request.clientId, settings.clientId)) return 'AADSTS700016';
  // MSAL adds the OpenID Connect scopes of a sign-in to no client credential request, so this is one scope.
  const scopes = request.scope.split(' ').filter((scope) => scope !== '');
  if (!scopes.every((scope) => scope.endsWith('/.default'))) return 'AADSTS1002012';
  if (!scopes.every((scope) => defenderScopes.has(scope))) return 'AADSTS500011';
  return judgeCredential(request, deps);
}

function judgeCredential(request: FormRequest, deps: EntraDeps): EntraErrorCode | undefined {
  const { settings, clientCertificate, clock } = deps;
  const { assertion, secret } = request;
  if (assertion === undefined) {
    if (secret === undefined) return 'AADSTS7000218';
    return sameSecret(secret, settings.clientSecret) ? undefined : 'AADSTS7000215';
  }
  if (request.assertionType !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    return 'AADSTS900144';
  const { federatedAssertion } = settings;
  if (federatedAssertion !== undefined && sameSecret(assertion, federatedAssertion)) return undefined;
  if (clientCertificate === undefined) return 'AADSTS70021';
  const judgement = judgeAssertion(assertion, {
    certificate: clientCertificate,
    clientId: settings.clientId,
    audiences: request.audiences,
    nowS: clock.wallMs() / 1000,
  });
  return judgement.kind === 'refused' ? judgement.error : undefined;
}

function tokenReply(accessToken: string, lifetimeS: number, beside: object = {}): Reply {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store, no-cache' },
    body: JSON.stringify({
      token_type: 'Bearer',
      expires_in: lifetimeS,
      ext_expires_in: 0,
      access_token: accessToken,
      ...beside,
    }),
  };
}

function sendDiscovery(req: Request, res: Response, tenantId: string, wallMs: number): void {
  const tenant = String(req.params['tenant']);
  const origin = requestOrigin(req);
  if (!sameName(tenant, tenantId)) {
    const subject = { clientId: '', tenant, scope: '', wallMs };
    const { status, headers, body } = entraErrorReply('AADSTS90002', subject);
    res.status(status).set(headers).send(body);
    return;
  }
  res.json({
    token_endpoint: `${origin}/${tenant}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
    jwks_uri: `${origin}/${tenant}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${origin}/${tenant}/v2.0`,
    authorization_endpoint: `${origin}/${tenant}/oauth2/v2.0/authorize`,
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat'],
    tenant_region_scope: 'EU',
  });
}

/** Tenant and application ids are GUIDs and compare without case. */
function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
