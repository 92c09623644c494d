import { Client } from 'undici';
import type { CallbackState } from '@diq/contracts/callback-state.ts';
import { createNameResolver, type ResolveName } from '@diq/runtime/dns/name-resolver.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { parseRetryAfter } from '@diq/runtime/http-server/retry-after.ts';
import { AddressRefusedError, createGuardedConnector } from './guarded-connection.ts';

/** What one attempt came to. `given-up`: we stopped it ourselves, and it says nothing about the receiver. */
export type PostOutcome =
  | { kind: 'answered'; status: number; retryAfterMs: number | undefined }
  | { kind: 'no-answer'; error: Exclude<NonNullable<CallbackState['lastError']>, 'not_allowed'> }
  | { kind: 'given-up' };

interface CallbackPost {
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Gives the attempt up. */
  signal: AbortSignal;
}

export type PostCallback = ReturnType<typeof createPostCallback>;

export interface PostCallbackOptions {
  isAllowedAddress: (address: string) => boolean;
  /** For connecting and answering together. Default 10 s. */
  timeoutMs?: number | undefined;
  resolve?: ResolveName | undefined;
  ca?: string | undefined;
  proxy?: Proxy | undefined;
}

/** Of the answer's body, which is not used; a receiver may finish writing as much. */
const maxBodyBytes = 4_096;

/** Of everything that a receiver may send in an attempt, before it is cut; headers may have 16 KiB. */
const maxReceivedBytes = 64 * 1024;

/** Each attempt has a connection of its own: none that was checked for one is used by another. */
export function createPostCallback(options: PostCallbackOptions) {
  const { isAllowedAddress, timeoutMs = 10_000, resolve = createNameResolver(), ca, proxy } = options;
  /** Makes one attempt, following no redirect and repeating nothing. Never rejects. */
  return async ({ url, headers, body, signal }: CallbackPost): Promise<PostOutcome> => {
    const stop = new AbortController();
    let isTimedOut = false;
    const giveUp = (): void => stop.abort();
    const timer = setTimeout(() => {
      isTimedOut = true;
      giveUp();
    }, timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    const bounds = { signal: stop.signal, timeoutMs, maxBytes: maxReceivedBytes };
    const checks = { isAllowed: isAllowedAddress, ...bounds, resolve, ca, proxy };
    const client = new Client(url.origin, { connect: createGuardedConnector(checks), pipelining: 0 });
    try {
      if (signal.aborted) return { kind: 'given-up' };
      const response = await client.request({
        method: 'POST',
        path: `${url.pathname}${url.search}`,
        headers: {
          'content-type': 'application/json',
          'accept-encoding': 'identity',
          'user-agent': 'defender-investigation-queue',
          ...headers,
        },
        body,
        signal: stop.signal,
      });
      await response.body.dump({ limit: maxBodyBytes, signal: stop.signal }).catch(() => undefined);
      const { statusCode: status, headers: answered } = response;
      return { kind: 'answered', status, retryAfterMs: parseRetryAfter(answered) };
    } catch (error) {
      if (error instanceof AddressRefusedError) return { kind: 'no-answer', error: 'address_not_allowed' };
      if (signal.aborted) return { kind: 'given-up' };
      return { kind: 'no-answer', error: isTimedOut ? 'timeout' : 'unreachable' };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      await client.destroy();
    }
  };
}
