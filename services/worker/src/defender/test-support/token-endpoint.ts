import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestCertificate } from './certificate.ts';

export interface TokenReply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

export interface TokenEndpoint {
  readonly authorityHost: string;
  /** The token requests' forms in order of arrival. */
  readonly posts: URLSearchParams[];
  /** `accept-encoding` of every request. */
  readonly codingsAccepted: (string | undefined)[];
  /** What the next requests get; "hang" never answers. */
  reply: (form: URLSearchParams, count: number) => TokenReply | Promise<TokenReply> | 'hang';
  /** Where the metadata says that tokens are to be had, in place of this server. */
  advertisedTokenEndpoint: string | undefined;
  close(): Promise<void>;
}

/** Entra ID's part: metadata and a token endpoint over TLS on loopback. Gives token-1, token-2, … for an hour. */
export async function openTokenEndpoint(certificate: TestCertificate): Promise<TokenEndpoint> {
  const server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
    endpoint.codingsAccepted.push(request.headers['accept-encoding']?.toString());
    void (request.method === 'GET' ? metadata(response) : issue(request, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const authorityHost = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoint: TokenEndpoint = {
    authorityHost,
    posts: [],
    codingsAccepted: [],
    reply: (_form, count) => granted(`token-${count}`),
    advertisedTokenEndpoint: undefined,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  function metadata(response: ServerResponse) {
    const tenant = `${authorityHost}/contoso`;
    send(response, {
      status: 200,
      body: {
        token_endpoint: endpoint.advertisedTokenEndpoint ?? `${tenant}/oauth2/v2.0/token`,
        authorization_endpoint: `${tenant}/oauth2/v2.0/authorize`,
        issuer: `${tenant}/v2.0`,
        jwks_uri: `${tenant}/keys`,
      },
    });
  }

  async function issue(request: IncomingMessage, response: ServerResponse) {
    const form = new URLSearchParams(await text(request));
    endpoint.posts.push(form);
    const reply = await endpoint.reply(form, endpoint.posts.length);
    if (reply !== 'hang') send(response, reply);
  }

  return endpoint;
}

/** A granted token. */
export function granted(token: string, more: Record<string, unknown> = {}): TokenReply {
  return { status: 200, body: { token_type: 'Bearer', expires_in: 3_600, access_token: token, ...more } };
}

/** An OAuth error as Entra ID words it. */
export function denied(status: number, error: string, number: number, description = 'no'): TokenReply {
  const error_description = `AADSTS${number}: ${description}`;
  return {
    status,
    body: { error, error_description, error_codes: [number], correlation_id: 'c', trace_id: 't' },
  };
}

function send(response: ServerResponse, { status, body, headers = {} }: TokenReply) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}
