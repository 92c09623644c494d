import type { INetworkModule } from '@azure/msal-node';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import type { Credential } from './load-credential.ts';
import { createMsalNetworkClient } from './msal-network-client.ts';
import { requestToken, type TokenAnswer } from './request-token.ts';

/**
 * Label values of `diq_token_requests_total{outcome}`. Each request to the authority counts as exactly one of
 * acquired, rejected (an administrator has to act) and failed (it may pass by itself); served_stale counts in
 * addition each time the token at hand was given out because a newer one could not be had.
 */
export const tokenRequestOutcomes = ['acquired', 'served_stale', 'rejected', 'failed'] as const;

export type TokenRequestOutcome = (typeof tokenRequestOutcomes)[number];

export type TokenResult =
  | { readonly kind: 'token'; readonly token: string; readonly expiresAtMs: number }
  | {
      readonly kind: 'unavailable';
      /** True when an administrator has to act. */
      readonly permanent: boolean;
      /** AADSTS number, OAuth or msal error code, network code. Never free text, never a secret. */
      readonly code: string;
      /** How long the authority asked to be left alone; asking earlier repeats this answer without a request. */
      readonly retryAfterMs?: number;
    };

export type TokenProvider = ReturnType<typeof createTokenProvider>;

export interface TokenProviderOptions {
  readonly tenantId: string;
  readonly clientId: string;
  readonly credential: Credential;
  /** https origin without a path, e.g. https://login.microsoftonline.com; anything else throws RangeError. */
  readonly authorityHost: string;
  readonly scope: string;
  /** In place of the built-in one; then `requestTimeoutMs` has no effect. */
  readonly networkClient?: INetworkModule;
  readonly requestTimeoutMs?: number;
  /** Through which the authority is reached, if it is used for it; for the built-in network client. */
  readonly proxy?: Proxy | undefined;
  readonly now?: () => number;
  readonly onRequest?: (outcome: TokenRequestOutcome) => void;
  readonly logger?: { warn(fields: Readonly<Record<string, unknown>>, message: string): void };
}

/** A token is renewed this long before it expires, or at half its life if that is shorter. */
const renewalMarginMs = 300_000;
/** A token with less time left than this could expire on the way; it is not served in place of a newer one. */
const minimumLeftMs = 60_000;
/** After a failed renewal a valid token is served for this long before the authority is asked again. */
const renewalPauseMs = 30_000;
/** A longer Retry-After is not believed: an hour without tokens costs a whole window. */
const maxPauseMs = 3_600_000;
/** Rejected tokens live an hour at most and come seldom; remembering the last few is enough. */
const maxRejectedRemembered = 16;

interface Held {
  readonly token: string;
  readonly expiresAtMs: number;
  readonly renewAtMs: number;
}

type Unavailable = Extract<TokenResult, { kind: 'unavailable' }>;

/** Entra ID's tokens for this application. Asks only when it must and survives the authority's outages. */
export function createTokenProvider(options: TokenProviderOptions) {
  const { now = Date.now, requestTimeoutMs = 10_000 } = options;
  const authorityHost = parseAuthorityHost(options.authorityHost);
  const ownNetwork = createMsalNetworkClient({ authorityHost, requestTimeoutMs, proxy: options.proxy });
  const request = { ...options, authorityHost, networkClient: options.networkClient ?? ownNetwork };

  const rejected = new Set<string>();
  let held: Held | undefined;
  let pause: { readonly untilMs: number; readonly failure: Unavailable; readonly asked: boolean } | undefined;
  let underWay: Promise<TokenResult> | undefined;

  async function get(): Promise<TokenResult> {
    const nowMs = now();
    if (held !== undefined && nowMs < held.renewAtMs) return resultOf(held);
    if (pause !== undefined && nowMs < pause.untilMs && (pause.asked || hasTimeLeft(held, nowMs))) {
      return withoutNewToken(pause.failure);
    }
    return renewOnce();
  }

  function renewOnce(): Promise<TokenResult> {
    underWay ??= renew().finally(() => (underWay = undefined));
    return underWay;
  }

  async function renew(): Promise<TokenResult> {
    const answer = await requestToken(request);
    if (answer.kind === 'token' && !rejected.has(answer.token)) {
      options.onRequest?.('acquired');
      pause = undefined;
      held = holdFrom(answer, now());
      return resultOf(held);
    }
    const failure = failureOf(answer);
    options.onRequest?.(failure.permanent ? 'rejected' : 'failed');
    const { code, permanent, retryAfterMs } = failure;
    options.logger?.warn({ code, authorityHost, permanent, retryAfterMs }, 'no token could be obtained');
    const asked = retryAfterMs !== undefined;
    pause = { untilMs: now() + (retryAfterMs ?? renewalPauseMs), failure, asked };
    return withoutNewToken(failure);
  }

  function withoutNewToken(failure: Unavailable): TokenResult {
    const nowMs = now();
    if (hasTimeLeft(held, nowMs)) {
      options.onRequest?.('served_stale');
      return resultOf(held);
    }
    if (pause === undefined || !pause.asked) return failure;
    return { ...failure, retryAfterMs: Math.max(0, pause.untilMs - nowMs) };
  }

  return {
    /** A token with some time left. Concurrent callers share one request. Never rejects. */
    get,
    /** A newer token if one can be had, else the one at hand: what an administrator changed shows in new ones alone. */
    renew: async () => (pause?.asked === true && now() < pause.untilMs ? get() : renewOnce()),
    /** After Defender answered 401: another token than `rejectedToken`, which is never given out again. */
    async renewAfterRejection(rejectedToken: string) {
      remember(rejected, rejectedToken);
      if (held?.token === rejectedToken) held = undefined;
      return get();
    },
    /** Ends connections under way. */
    close: () => ownNetwork.close(),
  };
}

function hasTimeLeft(held: Held | undefined, nowMs: number): held is Held {
  return held !== undefined && held.expiresAtMs > nowMs + minimumLeftMs;
}

function holdFrom(answer: Extract<TokenAnswer, { kind: 'token' }>, nowMs: number): Held {
  const { token, expiresAtMs, refreshAtMs } = answer;
  const marginMs = Math.min(renewalMarginMs, Math.max(0, expiresAtMs - nowMs) / 2);
  return { token, expiresAtMs, renewAtMs: Math.min(expiresAtMs - marginMs, refreshAtMs ?? expiresAtMs) };
}

function failureOf(answer: TokenAnswer): Unavailable {
  if (answer.kind === 'token') return { kind: 'unavailable', permanent: false, code: 'same_token_again' };
  const { permanent, code, retryAfterMs } = answer;
  const bounded = retryAfterMs === undefined ? undefined : Math.min(retryAfterMs, maxPauseMs);
  return { kind: 'unavailable', permanent, code, ...(bounded !== undefined && { retryAfterMs: bounded }) };
}

function resultOf({ token, expiresAtMs }: Held): TokenResult {
  return { kind: 'token', token, expiresAtMs };
}

function remember(rejected: Set<string>, token: string): void {
  rejected.add(token);
  const [oldest] = rejected;
  if (rejected.size > maxRejectedRemembered && oldest !== undefined) rejected.delete(oldest);
}

function parseAuthorityHost(authorityHost: string): string {
  const url = URL.canParse(authorityHost) ? new URL(authorityHost) : undefined;
  if (url === undefined || url.protocol !== 'https:' || url.pathname !== '/' || url.username !== '') {
    throw new RangeError('the authority host must be an https URL without a path');
  }
  return url.origin;
}
