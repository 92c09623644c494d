import { AuthError, ClientConfigurationError } from '@azure/msal-node';
import { CredentialError } from './load-credential.ts';
import { unknownCodingCode } from './msal-network-client.ts';

/** What was seen on the wire during one token request; msal's own errors drop most of it. */
export interface TokenExchange {
  /** Of the last answer, undefined when there was none. */
  readonly status?: number | undefined;
  /** Why there was no usable answer, e.g. "timeout" or ECONNREFUSED. */
  readonly networkCode?: string | undefined;
}

export interface TokenFailure {
  /** True when asking again unchanged cannot help and an administrator has to act. */
  readonly permanent: boolean;
  /** `AADSTS` and a number, an OAuth or msal error code, or a network code. Never free text. */
  readonly code: string;
}

/** Wrong secret, expired secret, application unknown in the tenant. */
const permanentNumbers = new Set(['7000215', '7000222', '700016']);
/** Said by the authority, or by msal about settings that it cannot work with. */
const permanentCodes = new Set([
  'invalid_client',
  'unauthorized_client',
  'invalid_client_credential',
  'missing_tenant_id_error',
]);
/** OAuth codes that name a passing state although they come with a 4xx. */
const transientCodes = new Set(['temporarily_unavailable', 'server_error', 'slow_down', 'request_timeout']);

/** Judges why no token came. In doubt it is transient: asking again later costs nothing, giving up would. */
export function classifyTokenFailure(error: unknown, { status, networkCode }: TokenExchange): TokenFailure {
  if (error instanceof CredentialError) return { permanent: true, code: error.code };
  // The authority's own metadata points elsewhere: no waiting changes that.
  if (networkCode === 'unexpected_host') return { permanent: true, code: networkCode };
  // The status says nothing as long as the words that go with it cannot be read.
  if (networkCode === unknownCodingCode) return { permanent: false, code: networkCode };
  if (networkCode !== undefined) return { permanent: false, code: answerCode(status) ?? networkCode };
  const busy = status !== undefined && (status === 408 || status === 429 || status >= 500);
  if (!(error instanceof AuthError)) return { permanent: false, code: 'unexpected_error' };

  const number = numberOf(error);
  const errorCode = codeOf(error);
  const code =
    number !== undefined ? `AADSTS${number}` : (errorCode ?? answerCode(status) ?? 'unexpected_error');
  if (busy) return { permanent: false, code };
  const known = permanentCodes.has(errorCode ?? '') || permanentNumbers.has(number ?? '');
  const refused =
    status !== undefined && status >= 400 && errorCode !== undefined && !transientCodes.has(errorCode);
  return { permanent: known || refused || error instanceof ClientConfigurationError, code };
}

function numberOf(error: AuthError): string | undefined {
  const number = 'errorNo' in error ? String(error.errorNo) : '';
  return /^\d{4,10}$/.test(number) ? number : undefined;
}

/** Only texts made like an OAuth or msal code pass: whatever else a server writes there is not repeated. */
function codeOf(error: AuthError): string | undefined {
  return /^[a-z][a-z_]{2,50}$/.test(error.errorCode) ? error.errorCode : undefined;
}

/** For an answer that gives no code of its own, such as a proxy's error page. */
export function answerCode(status: number | undefined): string | undefined {
  return status === undefined || (status >= 200 && status < 300) ? undefined : `http_${status}`;
}
