import { errorCatalogue, type ErrorCode } from '../http/error-catalogue.ts';
import type { HeaderUse, RouteDefinition } from '../http/define-route.ts';

/** Every code that an operation can answer with, in the order of the catalogue. */
export function problemsOf(operation: RouteDefinition): ErrorCode[] {
  const { method, scope, path, query, body, isIdempotent, isOwnOnly, problems = [] } = operation;
  const codes = new Set<ErrorCode>([
    ...problems,
    ...(scope ? ofEveryScope : []),
    ...(scope && method !== 'get' ? (['cross_site'] as const) : []),
    // A path that cannot be percent-decoded names nothing.
    ...(path.includes(':') ? (['route_not_found'] as const) : []),
    ...(isOwnOnly && path.includes(':') ? (['not_owner'] as const) : []),
    ...(query ? (['invalid_request'] as const) : []),
    ...(body ? ofEveryBody : []),
    ...(isIdempotent ? ofEveryKey : []),
  ]);
  return (Object.keys(errorCatalogue) as ErrorCode[]).filter((code) => codes.has(code));
}

const ofEveryScope: ErrorCode[] = [
  'unauthenticated',
  'forbidden',
  // Only where no credential is needed.
  'foreign_host',
  'rate_limited',
  'internal_error',
  'identity_unavailable',
  'redis_unavailable',
];
const ofEveryBody: ErrorCode[] = [
  'malformed_json',
  'invalid_request',
  'body_too_large',
  'unsupported_media_type',
  'intake_busy',
];
const ofEveryKey: ErrorCode[] = ['invalid_request', 'idempotency_in_flight', 'idempotency_key_reused'];

/** One answer for each status, with the codes that it can have. */
export function problemAnswers(operation: RouteDefinition) {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of problemsOf(operation)) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return [...byStatus].map(([status, codes]) => ({
    status,
    codes,
    description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}.`).join('\n\n'),
    headers: headersOf(status, codes),
  }));
}

function headersOf(status: number, codes: readonly ErrorCode[]): HeaderUse[] {
  if (codes.includes('cross_site')) return ['WWW-Authenticate?'];
  if (status === 401 || status === 403) return ['WWW-Authenticate'];
  if (status === 429 || status === 503) return ['Retry-After'];
  if (status === 409) return ['Retry-After?'];
  return status === 415 ? ['Accept-Encoding?'] : [];
}
