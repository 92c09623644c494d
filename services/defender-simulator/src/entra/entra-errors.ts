import { randomUUID } from 'node:crypto';

import type { Reply } from '../reply.ts';

export interface EntraErrorKind {
  httpStatus: number;
  error: string;
  /** `{0}` is the client id, `{1}` the tenant, `{2}` the scope of the request. */
  message: string;
}

/**
 * The refusals that this token endpoint gives, by their AADSTS number.
 * 7000215, 7000222 and 700016 are as documented for Defender; the others follow Microsoft's general list of codes. Those of a
 * sign-in also stand in what the authorize endpoint answers.
 */
export const entraErrors = {
  AADSTS7000215: {
    httpStatus: 401,
    error: 'invalid_client',
    message:
      "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{0}'.",
  },
  AADSTS7000222: {
    httpStatus: 401,
    error: 'invalid_client',
    message: "The provided client secret keys for app '{0}' are expired.",
  },
  AADSTS7000218: {
    httpStatus: 401,
    error: 'invalid_client',
    message: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  },
  AADSTS700016: {
    httpStatus: 400,
    error: 'unauthorized_client',
    message: "Application with identifier '{0}' was not found in the directory '{1}'.",
  },
  AADSTS700021: {
    httpStatus: 401,
    error: 'invalid_client',
    message: "Client assertion application identifier doesn't match 'client_id' parameter.",
  },
  AADSTS700023: {
    httpStatus: 401,
    error: 'invalid_client',
    message: 'Client assertion audience claim does not match Realm issuer.',
  },
  AADSTS700024: {
    httpStatus: 401,
    error: 'invalid_client',
    message: 'Client assertion is not within its valid time range.',
  },
  AADSTS700027: {
    httpStatus: 401,
    error: 'invalid_client',
    message:
      'The certificate with identifier used to sign the client assertion is not registered on application.',
  },
  AADSTS70021: {
    httpStatus: 400,
    error: 'invalid_request',
    message: 'No matching federated identity record found for presented assertion.',
  },
  AADSTS70003: {
    httpStatus: 400,
    error: 'unsupported_grant_type',
    message: 'The app requested an unsupported grant type.',
  },
  AADSTS900144: {
    httpStatus: 400,
    error: 'invalid_request',
    message: 'The request body lacks a required parameter.',
  },
  AADSTS1002012: {
    httpStatus: 400,
    error: 'invalid_scope',
    message:
      'The provided value for scope {2} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).',
  },
  AADSTS500011: {
    httpStatus: 400,
    error: 'invalid_resource',
    message: "The resource principal named {2} was not found in the tenant named '{1}'.",
  },
  AADSTS50011: {
    httpStatus: 400,
    error: 'invalid_request',
    message:
      "The redirect URI specified in the request does not match the redirect URIs configured for the application '{0}'.",
  },
  AADSTS50034: {
    httpStatus: 400,
    error: 'invalid_request',
    message: "The user account does not exist in the '{1}' directory.",
  },
  AADSTS54005: {
    httpStatus: 400,
    error: 'invalid_grant',
    message:
      'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.',
  },
  AADSTS65004: {
    httpStatus: 400,
    error: 'access_denied',
    message: 'User declined to consent to access the app.',
  },
  AADSTS70000: {
    httpStatus: 400,
    error: 'invalid_grant',
    message: 'Provided grant is invalid or malformed.',
  },
  AADSTS70008: {
    httpStatus: 400,
    error: 'invalid_grant',
    message:
      'The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.',
  },
  AADSTS500112: {
    httpStatus: 400,
    error: 'invalid_grant',
    message:
      'The reply address does not match the reply address provided when requesting Authorization code.',
  },
  AADSTS501481: {
    httpStatus: 400,
    error: 'invalid_grant',
    message: 'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
  },
  AADSTS501491: {
    httpStatus: 400,
    error: 'invalid_request',
    message: 'Invalid PKCE code challenge method.',
  },
  AADSTS700025: {
    httpStatus: 401,
    error: 'invalid_client',
    message: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
  },
  AADSTS9002325: {
    httpStatus: 400,
    error: 'invalid_request',
    message: 'Proof Key for Code Exchange is required for authorization code redemption.',
  },
  AADSTS90002: { httpStatus: 400, error: 'invalid_request', message: "Tenant '{1}' not found." },
  AADSTS90033: {
    httpStatus: 503,
    error: 'temporarily_unavailable',
    message: 'A transient error has occurred. Please try again.',
  },
} as const satisfies Record<string, EntraErrorKind>;

export type EntraErrorCode = keyof typeof entraErrors;

export const entraErrorCodes = Object.keys(entraErrors) as [EntraErrorCode, ...EntraErrorCode[]];

/** What the error speaks about. `correlationId` is the caller's `client-request-id`, if it sent one. */
export interface EntraErrorSubject {
  clientId: string;
  tenant: string;
  scope: string;
  correlationId?: string | undefined;
  wallMs: number;
}

export function entraErrorReply(code: EntraErrorCode, subject: EntraErrorSubject): Reply {
  const { httpStatus, error, message } = entraErrors[code];
  const traceId = randomUUID();
  const correlationId = subject.correlationId ?? randomUUID();
  const timestamp = new Date(subject.wallMs).toISOString().replace('T', ' ').replace(/\.\d+/, '');
  const values = [subject.clientId, subject.tenant, subject.scope];
  const text = message.replace(/\{(\d)\}/g, (_, index: string) => values[Number(index)] ?? '');
  const body = {
    error,
    error_description: `${code}: ${text} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [Number(code.slice('AADSTS'.length))],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
  };
  return {
    status: httpStatus,
    headers: { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store, no-cache' },
    body: JSON.stringify(body),
  };
}
