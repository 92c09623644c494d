import { Agent, request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';

import type { Clock } from '../src/clock.ts';
import { createSimulator, type Simulator, type SimulatorOptions } from '../src/simulator.ts';

export const tenantId = '11111111-2222-3333-4444-555555555555';
export const clientId = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
export const clientSecret = 'the-secret-of-the-test';
export const defenderScope = 'https://api.securitycenter.microsoft.com/.default';
export const machineId = 'fb9ab6be3965095a09c057be7c90f0a2';
export const tokenPath = `/${tenantId}/oauth2/v2.0/token`;

export interface Received {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
  /** The body as JSON; only for tests that know what they get. */
  json: any; // oxlint-disable-line typescript/no-explicit-any
}

export interface SendOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string | object;
  token?: string;
  signal?: AbortSignal;
}

export interface OpenSimulator extends Simulator {
  send(path: string, options?: SendOptions): Promise<Received>;
  /** A fresh access token. */
  token(): Promise<string>;
  /** The start call of the documentation. */
  start(token: string, id?: string, comment?: string): Promise<Received>;
  /** A control request: POST with a body, else GET unless said otherwise. */
  control(path: string, body?: object, method?: string): Promise<Received>;
}

/** A simulator on an ephemeral port with a client that trusts it. */
export async function openSimulator(
  options: Partial<SimulatorOptions> = {},
  clock?: Clock,
): Promise<OpenSimulator> {
  const simulator = await createSimulator({ tenantId, clientId, clientSecret, port: 0, ...options }, clock);
  const agent = new Agent({ ca: simulator.caPem, keepAlive: true });
  const send = (path: string, sent: SendOptions = {}) => exchange(agent, simulator.origin + path, sent);
  return {
    ...simulator,
    send,
    async token() {
      const { json } = await send(tokenPath, tokenForm());
      return json.access_token;
    },
    start: (token, id = machineId, comment = 'test') =>
      send(`/api/machines/${id}/InitiateInvestigation`, { token, body: { Comment: comment } }),
    control: (path, body, method = body === undefined ? 'GET' : 'POST') =>
      send(`/control${path}`, { method, ...(body === undefined ? {} : { body }) }),
    async close() {
      agent.destroy();
      await simulator.close();
    },
  };
}

/** A proper token request with some fields replaced, or left out where the value is undefined. */
export function tokenForm(changes: Record<string, string | undefined> = {}): SendOptions {
  const fields = {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    scope: defenderScope,
    ...changes,
  };
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(given).toString(),
  };
}

/** A clock that stands still until it is moved. */
export function stoppedClock(wall: string): Clock & { advance(ms: number): void } {
  let passedMs = 0;
  return {
    monotonicMs: () => 1000 + passedMs,
    wallMs: () => Date.parse(wall) + passedMs,
    advance(ms) {
      passedMs += ms;
    },
  };
}

/** One request and its whole reply; rejects when there is none. */
export function exchange(agent: Agent, url: string, sent: SendOptions): Promise<Received> {
  const { body, token, signal } = sent;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const headers = {
    ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...sent.headers,
  };
  const method = sent.method ?? (body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, method, headers, ...(signal === undefined ? {} : { signal }) });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const received = bytes.toString('utf8');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes,
          text: received,
          get json() {
            return JSON.parse(received);
          },
        });
      });
    });
    outgoing.end(text);
  });
}
