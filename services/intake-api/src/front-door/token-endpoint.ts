import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { identifyCredential } from '../auth/authenticate.ts';
import type { FailedCredentials } from '../auth/brute-force-guard.ts';
import type { Caller } from '../config/callers.ts';
import { ProblemError } from '../http/problem-error.ts';
import { contextOf } from '../http/request-context.ts';
import type { QueueDirectory } from '../queues/queue-directory.ts';
import { refuseAsEntra, type EntraRefusal } from './answer-as-entra.ts';
import { tokenLifetimeMs, type DoorTokens } from './door-tokens.ts';

/** A secret of an API key and some names; a signed assertion, which is not taken here, is longer. */
const maxFormBytes = 16 * 1_024;

const parameter = z.string().min(1).max(512);
const form = z.object({ grant_type: parameter, client_id: parameter, client_secret: parameter });

interface TokenEndpointDeps {
  tokens: DoorTokens;
  failedCredentials: FailedCredentials;
  limitRate: RequestHandler | undefined;
  directory: Pick<QueueDirectory, 'tenantsOf'>;
}

class TokenRefused extends Error {
  readonly refusal: EntraRefusal;

  constructor(refusal: EntraRefusal) {
    super(refusal);
    this.refusal = refusal;
  }
}

/**
 * `POST …/{tenant id}/oauth2/token` and `…/oauth2/v2.0/token`: client credentials alone, of which the id is the name of an API
 * key and the secret that key. It answers with an opaque token for this tenant.
 */
export function tokenEndpoint(deps: TokenEndpointDeps): (RequestHandler | ErrorRequestHandler)[] {
  return [
    express.urlencoded({ extended: false, limit: maxFormBytes, parameterLimit: 20 }),
    identifyClient(deps),
    ...(deps.limitRate ? [deps.limitRate] : []),
    issueToken(deps),
    answerTokenError,
  ];
}

function identifyClient({ tokens, failedCredentials }: TokenEndpointDeps): RequestHandler {
  return async (request, response, next) => {
    const { data } = form.safeParse(request.body);
    if (!data) throw new TokenRefused('missing_parameter');
    if (data.grant_type !== 'client_credentials') throw new TokenRefused('unsupported_grant');
    const { client_id: name, client_secret: secret } = data;
    // Whether there is a key of this name is not for strangers to know.
    const identify = () => {
      const caller: Caller | undefined = tokens.keyOf(name, secret);
      return Promise.resolve(
        caller ? { kind: 'known' as const, caller } : { kind: 'unknown' as const, why: 'unknown' },
      );
    };
    const credential = `${name} ${secret}`;
    contextOf(response).identified = await identifyCredential(
      identify,
      failedCredentials,
      response,
      credential,
    );
    next();
  };
}

function issueToken({ tokens, directory }: TokenEndpointDeps): RequestHandler {
  return async (request, response) => {
    const { client_id: name, client_secret: secret } = form.parse(request.body);
    const key = tokens.keyOf(name, secret);
    if (!key) throw new TokenRefused('wrong_secret');
    const tenantId = tenantAskedFor(request, key, directory);
    if (tenantId === undefined) throw new TokenRefused('unknown_tenant');
    const token = await tokens.issue({ key, tenantId });
    contextOf(response).log.info({ tenantId }, 'front door token issued');
    response.json(request.path.includes('/v2.0/') ? answerOfV2(token) : answerOfV1(token, request));
  };
}

/** Path and name in front of it mean the same tenant, if both are there. */
function tenantAskedFor(
  { params }: Request,
  caller: Caller,
  directory: Pick<QueueDirectory, 'tenantsOf'>,
): string | undefined {
  const asked = String(params['directory']).toLowerCase();
  const named = params['tenant'];
  return directory
    .tenantsOf(caller)
    .map(({ tenant }) => tenant)
    .filter(({ name }) => named === undefined || name === named)
    .find(({ name, tenantId }) => tenantId === asked || name === asked)?.tenantId;
}

const lifetimeSeconds = tokenLifetimeMs / 1_000 - 1;

function answerOfV2(token: string) {
  return {
    token_type: 'Bearer',
    expires_in: lifetimeSeconds,
    ext_expires_in: lifetimeSeconds,
    access_token: token,
  };
}

/** Version 1 writes numbers as texts. */
function answerOfV1(token: string, { body }: { body: unknown }) {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const { data: resource } = z.object({ resource: parameter }).safeParse(body);
  return {
    token_type: 'Bearer',
    expires_in: String(lifetimeSeconds),
    ext_expires_in: String(lifetimeSeconds),
    expires_on: String(nowSeconds + lifetimeSeconds),
    not_before: String(nowSeconds),
    ...resource,
    access_token: token,
  };
}

const answerTokenError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const { httpRequestId, log } = contextOf(response);
  const refusal = refusalOf(error, response);
  if (refusal === 'failed') log.error({ err: error }, 'request failed');
  refuseAsEntra(response, refusal, httpRequestId);
};

const awayRetryAfterSeconds = 5;

function refusalOf(error: unknown, response: Response): EntraRefusal {
  if (error instanceof TokenRefused) return error.refusal;
  if (error instanceof ProblemError) {
    response.set(error.headers);
    if (error.code === 'rate_limited') return 'too_many';
    if (error.code === 'unauthenticated') {
      response.removeHeader('WWW-Authenticate');
      return 'wrong_secret';
    }
  }
  if (isRedisTrouble(error)) {
    response.set('Retry-After', String(awayRetryAfterSeconds));
    return 'away';
  }
  // Of the reader of forms: too large, in another charset, broken off.
  const { data } = z.object({ status: z.int().min(400).max(499) }).safeParse(error);
  return data ? 'missing_parameter' : 'failed';
}
