import { Agent, fetch as undiciFetch } from 'undici';
import { createBoundedConnector } from '@diq/runtime/http-client/bounded-connection.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';

/** Entra's own keys are 20 KB, its answers to a code 5 KB. */
const maxBodyBytes = 1024 * 1024;

/** What is sent; what else a library asks for, such as following redirects, is not done. */
interface Sent {
  method?: string | undefined;
  headers?: Headers | Record<string, string> | undefined;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/**
 * A `fetch` for libraries that talk to Entra ID: it reaches the configured authority and no other host, follows no redirect,
 * reads a bounded answer, and leaves no lookup of a name behind that would take a place from those of Redis.
 *
 * @param ca PEM of the only authority of certificates to trust, instead of Node's own list
 * @param proxy through which the authority is reached, if it is used for it
 */
export function createEntraFetch(authorityHost: string, ca?: string, proxy?: Proxy) {
  const { origin } = new URL(authorityHost);
  const dispatcher = new Agent({
    connect: createBoundedConnector({ maxBodyBytes, ca, proxy }),
    maxResponseSize: maxBodyBytes,
  });
  return async (url: string, { method, headers, body, signal }: Sent): Promise<Response> => {
    if (new URL(url).origin !== origin) throw new RangeError('the address is not of the Entra authority');
    const response = await undiciFetch(url, {
      headers: [...new Headers(headers)],
      redirect: 'manual',
      dispatcher,
      ...(method !== undefined && { method }),
      ...(signal && { signal }),
      ...((typeof body === 'string' || body instanceof URLSearchParams) && { body: String(body) }),
    });
    const pieces: Uint8Array[] = [];
    let length = 0;
    // The bound of the dispatcher is that of what comes packed.
    for await (const piece of response.body ?? []) {
      length += piece.length;
      if (length > maxBodyBytes) throw new RangeError('the answer of the Entra authority is too long');
      pieces.push(Buffer.from(piece));
    }
    const contentType = response.headers.get('content-type');
    return new Response(length === 0 ? null : Buffer.concat(pieces), {
      status: response.status,
      headers: contentType === null ? {} : { 'content-type': contentType },
    });
  };
}
