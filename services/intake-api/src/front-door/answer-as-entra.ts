import { randomUUID } from 'node:crypto';
import type { Response } from 'express';

/** Errors of the own token endpoint, in the words and numbers that connectors know from Entra ID. */
const refusals = {
  wrong_secret: [
    401,
    'invalid_client',
    7_000_215,
    'Invalid client secret provided. The client id is the name of an API key of this service, the secret is the key.',
  ],
  unknown_tenant: [
    400,
    'invalid_request',
    90_002,
    'Tenant not found. The path names the id or the name of a tenant that the API key reaches.',
  ],
  unsupported_grant: [
    400,
    'unsupported_grant_type',
    70_003,
    "The app requested an unsupported grant type; this service knows 'client_credentials' alone.",
  ],
  missing_parameter: [
    400,
    'invalid_request',
    900_144,
    "The request body must contain the parameters 'grant_type', 'client_id' and 'client_secret', each once, as a form.",
  ],
  too_many: [
    429,
    'temporarily_unavailable',
    90_055,
    'Too many requests; repeat after the time in Retry-After.',
  ],
  away: [
    503,
    'temporarily_unavailable',
    90_033,
    'The service is temporarily unavailable; repeat after the time in Retry-After.',
  ],
  failed: [500, 'server_error', 50_000, 'There was an error issuing a token.'],
} as const satisfies Record<string, readonly [number, string, number, string]>;

export type EntraRefusal = keyof typeof refusals;

/** Answers in Entra ID's shape. Nothing of what was sent is repeated. */
export function refuseAsEntra(response: Response, refusal: EntraRefusal, correlationId: string): void {
  const [status, error, number, message] = refusals[refusal];
  const timestamp = `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const traceId = randomUUID();
  response.status(status).json({
    error,
    error_description: `AADSTS${number}: ${message} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [number],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
  });
}
