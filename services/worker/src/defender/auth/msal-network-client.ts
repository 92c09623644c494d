import type { INetworkModule, NetworkRequestOptions, NetworkResponse } from '@azure/msal-node';
import { Agent, type Dispatcher } from 'undici';
import { createBoundedConnector } from '@diq/runtime/http-client/bounded-connection.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { TimeoutError, within } from '@diq/runtime/async/with-timeout.ts';
import { readAnswer, type BodyFault } from '../read-answer.ts';
import { parseRetryAfter } from '@diq/runtime/http-server/retry-after.ts';
import { codeOf } from '../single-use-connection.ts';

/** Longest answer taken in; tokens with many roles stay under 20 KiB. */
const maxAnswerBytes = 256 * 1024;

/** The answer is packed in a way that was not asked for and is not known here: a proxy's doing. */
export const unknownCodingCode = 'unknown_content_coding';

/** A request to the authority that brought no usable answer. Carries codes only, never what was sent or received. */
export class TokenNetworkError extends Error {
  override readonly name = 'TokenNetworkError';
  readonly code: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, answer?: { status: number; retryAfterMs: number | undefined }) {
    super(`the authority could not be asked: ${code}`);
    this.code = code;
    this.status = answer?.status;
    this.retryAfterMs = answer?.retryAfterMs;
  }
}

/**
 * msal's network in place of its own, which never gives up waiting for the answer to a POST. Each request has a
 * connection of its own: there is about one an hour.
 *
 * @param authorityHost https origin of the authority; requests to any other origin are refused, whatever metadata says
 * @param requestTimeoutMs for one request from connecting to the end of the body
 * @param ca PEM of the only authority to trust, instead of Node's own list
 * @param proxy through which the authority is reached, if it is used for it
 */
export function createMsalNetworkClient({
  authorityHost,
  requestTimeoutMs,
  ca,
  proxy,
}: {
  authorityHost: string;
  requestTimeoutMs: number;
  ca?: string;
  proxy?: Proxy | undefined;
}) {
  const { origin } = new URL(authorityHost);
  const agent = new Agent({
    connect: createBoundedConnector({ maxBodyBytes: maxAnswerBytes, timeoutMs: requestTimeoutMs, ca, proxy }),
    maxResponseSize: maxAnswerBytes,
  });

  async function send<T>(
    method: 'GET' | 'POST',
    url: string,
    request: NetworkRequestOptions | undefined,
    timeoutMs: number,
  ): Promise<NetworkResponse<T>> {
    const target = new URL(url);
    if (target.origin !== origin) throw new TokenNetworkError('unexpected_host');
    const response = await withinTime(timeoutMs, (signal) =>
      exchange(agent, {
        origin,
        path: target.pathname + target.search,
        method,
        // Without it any coding would be right (RFC 9110, 12.5.3).
        headers: { ...request?.headers, 'accept-encoding': 'identity' },
        body: method === 'POST' ? (request?.body ?? '') : null,
        signal,
        reset: true,
      }),
    );
    return response as NetworkResponse<T>;
  }

  const network: INetworkModule = {
    sendGetRequestAsync: (url, request, timeoutMs) =>
      send('GET', url, request, Math.min(timeoutMs ?? requestTimeoutMs, requestTimeoutMs)),
    sendPostRequestAsync: (url, request) => send('POST', url, request, requestTimeoutMs),
  };
  return { ...network, close: () => agent.destroy() };
}

async function exchange(agent: Agent, request: Dispatcher.RequestOptions): Promise<NetworkResponse<unknown>> {
  const response = await agent.request(request);
  const { status, headers, body, bodyFault } = await readAnswer(response, { maxBytes: maxAnswerBytes });
  if (typeof body !== 'object' || body === null) {
    const retryAfterMs = parseRetryAfter(headers);
    throw new TokenNetworkError(codeOfFault[bodyFault ?? 'not_json'], { status, retryAfterMs });
  }
  const flat = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value ?? []].flat().join(', ')]),
  );
  return { status, headers: flat, body };
}

/** What stands in log, metrics and hold. */
const codeOfFault: Readonly<Record<BodyFault, string>> = {
  cut_off: 'unreadable_answer',
  too_long: 'answer_too_long',
  unknown_coding: unknownCodingCode,
  not_json: 'unreadable_answer',
};

/** undici looks at a signal only once it is connected, so the clock also races the request. */
async function withinTime<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  try {
    return await within(work(stop.signal), timeoutMs);
  } catch (error) {
    if (error instanceof TokenNetworkError) throw error;
    const isLate = error instanceof TimeoutError;
    throw new TokenNetworkError(isLate ? 'timeout' : (codeOf(error) ?? 'network_error'));
  } finally {
    stop.abort();
  }
}
