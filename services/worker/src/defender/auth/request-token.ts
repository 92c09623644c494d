import { ConfidentialClientApplication, type INetworkModule } from '@azure/msal-node';
import { answerCode, classifyTokenFailure, type TokenFailure } from './classify-token-failure.ts';
import { loadCredential, type Credential } from './load-credential.ts';
import { TokenNetworkError } from './msal-network-client.ts';
import { parseRetryAfter } from '../retry-after.ts';

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
/** Entra ID's longest; a longer life is a mistake, and would keep a token that nobody accepts any more. */
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
      const code = answerCode(wire.seen.status) ?? 'unreadable_answer';
      return { kind: 'failure', permanent: false, code, retryAfterMs: wire.seen.retryAfterMs };
    }
    // Taken over it would make every call impossible, for as long as it is kept.
    if (!isSendable(result.accessToken)) {
      return {
        kind: 'failure',
        permanent: false,
        code: 'unreadable_token',
        retryAfterMs: wire.seen.retryAfterMs,
      };
    }
    return {
      kind: 'token',
      token: result.accessToken,
      expiresAtMs: Math.min(expiresAtMs, Date.now() + longestLifeMs),
      refreshAtMs: inFuture(result.refreshOn?.getTime()),
    };
  } catch (error) {
    return {
      kind: 'failure',
      ...classifyTokenFailure(error, wire.seen),
      retryAfterMs: wire.seen.retryAfterMs,
    };
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

interface Seen {
  status: number | undefined;
  networkCode: string | undefined;
  retryAfterMs: number | undefined;
}

/** Keeps what the last exchange looked like, which msal's errors no longer tell. */
function observe(inner: INetworkModule): INetworkModule & { readonly seen: Seen } {
  const seen: Seen = { status: undefined, networkCode: undefined, retryAfterMs: undefined };
  async function watch<T extends { status: number; headers: Record<string, string> }>(
    answer: Promise<T>,
  ): Promise<T> {
    try {
      const { status, headers } = await answer;
      const clock = { responseDate: headers['date'], nowMs: Date.now() };
      const waits = status >= 400 ? parseRetryAfter(headers['retry-after'], clock) : undefined;
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
