import {
  ConfidentialClientApplication,
  AuthError,
  ClientConfigurationError,
  type INetworkModule,
} from '@azure/msal-node';
import { loadCredential, CredentialError, type Credential } from './load-credential.ts';
import { TokenNetworkError, unknownCodingCode } from './msal-network-client.ts';
import { parseRetryAfter } from '@diq/runtime/http-server/retry-after.ts';

export interface TokenRequest {
  readonly tenantId: string;
  readonly clientId: string;
  readonly credential: Credential;
  /** Origin, e.g. https://login.microsoftonline.com */
  readonly authorityHost: string;
  readonly scope: string;
  readonly networkClient: INetworkModule;
}

export type TokenAnswer =
  | {
      readonly kind: 'token';
      readonly token: string;
      readonly expiresAtMs: number;
      /** When Entra ID wishes it renewed; undefined when it says nothing. */
      readonly refreshAtMs: number | undefined;
    }
  | ({ readonly kind: 'failure'; readonly retryAfterMs: number | undefined } & TokenFailure);

/** Tokens with many roles stay under 20 KiB. */
const maxTokenLength = 32 * 1024;
/** Entra ID's longest; a longer life is a mistake, and would keep a token that is no longer accepted. */
const longestLifeMs = 24 * 3_600_000;

/** msal carries the metadata of this host in itself; any other has to be vouched for by configuration. */
const builtInHost = 'login.microsoftonline.com';

/**
 * Asks the authority once. Every request gets an msal application of its own: msal keeps in it a cache that makes
 * calls fail while a valid token is at hand, and a block of 60 s and more after any 429 or 5xx. Both are decided
 * by the token provider instead. Never rejects.
 */
export async function requestToken(request: TokenRequest): Promise<TokenAnswer> {
  const wire = observe(request.networkClient);
  const failed = (failure: TokenFailure): TokenAnswer => ({
    kind: 'failure',
    ...failure,
    retryAfterMs: wire.seen.retryAfterMs,
  });
  try {
    const { host } = new URL(request.authorityHost);
    const application = new ConfidentialClientApplication({
      auth: {
        clientId: request.clientId,
        authority: `${request.authorityHost}/${request.tenantId}`,
        ...(host !== builtInHost && { knownAuthorities: [host] }),
        ...(await loadCredential(request.credential)),
      },
      system: { networkClient: wire },
    });
    const result = await application.acquireTokenByClientCredential({
      scopes: [request.scope],
      skipCache: true,
    });
    const expiresAtMs = result?.expiresOn?.getTime() ?? Number.NaN;
    // msal takes an answer that names no token, no lifetime and no error for a success, and rounds its clock to seconds.
    if (result === null || result.accessToken === '' || !(expiresAtMs > Date.now() + 1_000)) {
      return failed({ permanent: false, code: answerCode(wire.seen.status) ?? 'unreadable_answer' });
    }
    // Taken over it would make every call impossible, for as long as it is kept.
    if (!isSendable(result.accessToken)) return failed({ permanent: false, code: 'unreadable_token' });
    return {
      kind: 'token',
      token: result.accessToken,
      expiresAtMs: Math.min(expiresAtMs, Date.now() + longestLifeMs),
      refreshAtMs: inFuture(result.refreshOn?.getTime()),
    };
  } catch (error) {
    return failed(classifyTokenFailure(error, wire.seen));
  }
}

/** Printable, without blanks, and short enough for the header of a request: gateways refuse longer ones with 431. */
function isSendable(token: string): boolean {
  return token.length <= maxTokenLength && /^[\x21-\x7e]+$/.test(token);
}

/** A wish to have it renewed in the past, or at no time, would ask the authority before every call. */
function inFuture(timeMs = Number.NaN): number | undefined {
  return timeMs > Date.now() ? timeMs : undefined;
}

/** What was seen on the wire during one token request; msal's own errors drop most of it. */
interface Seen {
  /** Of the last answer, undefined when there was none. */
  status: number | undefined;
  /** Why there was no usable answer, e.g. "timeout" or ECONNREFUSED. */
  networkCode: string | undefined;
  retryAfterMs: number | undefined;
}

/** Keeps what the last exchange looked like, which msal's errors do not carry. */
function observe(inner: INetworkModule): INetworkModule & { readonly seen: Seen } {
  const seen: Seen = { status: undefined, networkCode: undefined, retryAfterMs: undefined };
  async function watch<T extends { status: number; headers: Record<string, string> }>(
    answer: Promise<T>,
  ): Promise<T> {
    try {
      const { status, headers } = await answer;
      const waits = status >= 400 ? parseRetryAfter(headers) : undefined;
      Object.assign(seen, { status, networkCode: undefined, retryAfterMs: waits } satisfies Seen);
    } catch (error) {
      const known = error instanceof TokenNetworkError ? error : undefined;
      seen.networkCode = known?.code ?? 'network_error';
      seen.status = known?.status;
      seen.retryAfterMs = known?.retryAfterMs;
    }
    return answer;
  }
  return {
    seen,
    sendGetRequestAsync: (url, options, timeoutMs) =>
      watch(inner.sendGetRequestAsync(url, options, timeoutMs)),
    sendPostRequestAsync: (url, options) => watch(inner.sendPostRequestAsync(url, options)),
  };
}

interface TokenFailure {
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
function classifyTokenFailure(error: unknown, { status, networkCode }: Seen): TokenFailure {
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
function answerCode(status: number | undefined): string | undefined {
  return status === undefined || (status >= 200 && status < 300) ? undefined : `http_${status}`;
}
