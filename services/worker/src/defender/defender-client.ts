import { Client, type buildConnector } from 'undici';
import type { OperationProfile, Parameters } from '@diq/contracts/operations/profile.ts';
import { wireBytesFor } from '@diq/runtime/http-client/bounded-connection.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { createResumingConnector } from '@diq/runtime/http-client/tls-connections.ts';
import { classifyResponse, type AnswerVerdict } from './classify-response.ts';
import { parseBaseUrl } from './address.ts';
import { maxAnswerBytes, readAnswer } from './read-answer.ts';
import {
  codeOf,
  createSingleUseConnection,
  type NotSent,
  type SingleUseConnection,
} from './single-use-connection.ts';

/** A call that ended without an answer. */
export type TransportVerdict =
  | { readonly kind: 'timeout' }
  | { readonly kind: 'connection_lost'; readonly reason: 'closed' | 'shutdown'; readonly code?: string }
  | ({ readonly kind: 'not_sent' } & NotSent);

/** What came of a call. `durationMs` runs from asking to call until the verdict, connecting included. */
export type CallOutcome = (AnswerVerdict | TransportVerdict) & { readonly durationMs: number };

export interface StartCall {
  readonly machineId: string;
  readonly comment: string;
  /** As the profile's schema has them. */
  readonly parameters: Parameters;
  /** What the comment ends with, where Defender gives it back; see `correlation-token.ts`. */
  readonly correlationToken?: string | undefined;
  /** Access token without "Bearer". */
  readonly token: string;
  /** True when `token` was obtained because the one before it was answered 401; a second 401 is then final. */
  readonly tokenRenewed?: boolean;
  /** Gives the call up, as a shutdown does. */
  readonly signal?: AbortSignal;
  /**
   * Asked immediately before the request may be written; on false nothing is written and the outcome is `not_sent`
   * with reason `send_deadline_passed`. Keeps a process that stood still after taking its permit from using it late.
   */
  readonly mayStillSend?: () => boolean;
  /** W3C trace context to pass on; left out when it is malformed. */
  readonly traceparent?: string;
  /** Goes with `traceparent`; left out when it is no plain text of at most 512 characters. */
  readonly tracestate?: string | undefined;
}

export type DefenderClient = ReturnType<typeof createDefenderClient>;

export interface DefenderClientOptions {
  /** https, or http on a loopback address; anything else throws RangeError. */
  readonly baseUrl: string;
  /** For connecting, headers and body together. */
  readonly callTimeoutMs: number;
  readonly profile: OperationProfile;
  /** PEM of the only authority to trust, instead of Node's own list. */
  readonly connect?: { readonly ca?: string };
  /** Puts TLS over a connection: clients that share it resume each other's sessions. By default it is this client's own. */
  readonly startTls?: buildConnector.connector;
  /** Through which Defender is reached, if it is used for it. */
  readonly proxy?: Proxy | undefined;
  /** Local time in ms, for Retry-After dates in answers that carry no Date. */
  readonly now?: () => number;
}

type StopReason = 'timeout' | 'shutdown';

/** For all clients of one Defender. */
export function createStartTls({ ca }: { readonly ca?: string } = {}): buildConnector.connector {
  // No timeout of its own, as the connection under it.
  return createResumingConnector({ timeoutMs: 0, ca });
}

/** The only part of the system that talks to the Defender API. */
export function createDefenderClient(options: DefenderClientOptions) {
  const base = parseBaseUrl(options.baseUrl);
  const startTls = options.startTls ?? createStartTls(options.connect);
  const underWay = new Map<AbortController, Promise<CallOutcome>>();
  let closed = false;

  async function run(call: StartCall, stop: AbortController): Promise<CallOutcome> {
    const startedMs = performance.now();
    const shutDown = () => stop.abort('shutdown' satisfies StopReason);
    const timer = setTimeout(() => stop.abort('timeout' satisfies StopReason), options.callTimeoutMs);
    call.signal?.addEventListener('abort', shutDown, { once: true });
    try {
      if (closed || call.signal?.aborted === true) shutDown();
      const verdict = await exchange({ ...options, base, startTls }, call, stop.signal);
      return { ...verdict, durationMs: performance.now() - startedMs };
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener('abort', shutDown);
      underWay.delete(stop);
    }
  }

  return {
    /** Makes one call, once, following no redirect and repeating nothing. Never rejects. */
    start(call: StartCall): Promise<CallOutcome> {
      const stop = new AbortController();
      const outcome = run(call, stop);
      underWay.set(stop, outcome);
      return outcome;
    },
    /** Gives up the calls under way and waits for their outcomes; later calls end as `not_sent`, reason `shutdown`. */
    async close() {
      closed = true;
      const ending = [...underWay.values()];
      for (const stop of underWay.keys()) stop.abort('shutdown' satisfies StopReason);
      await Promise.all(ending);
    },
  };
}

async function exchange(
  {
    base,
    startTls,
    profile,
    proxy,
    now = Date.now,
  }: DefenderClientOptions & { base: ReturnType<typeof parseBaseUrl>; startTls: buildConnector.connector },
  call: StartCall,
  stop: AbortSignal,
): Promise<AnswerVerdict | TransportVerdict> {
  if (stop.aborted) return { kind: 'not_sent', reason: 'shutdown' };
  if (call.token === '') return { kind: 'not_sent', reason: 'no_token' };
  const connection = createSingleUseConnection({
    startTls,
    mayStillSend: call.mayStillSend ?? (() => true),
    maxBytes: wireBytesFor(maxAnswerBytes),
    proxy,
  });
  const client = new Client(base.origin, {
    connect: connection.connector,
    pipelining: 0,
    maxResponseSize: maxAnswerBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const giveUp = () => {
    connection.reset(stop.reason === 'timeout' ? 'connect_timeout' : 'shutdown');
    void client.destroy(new Error('the call was given up'));
  };
  stop.addEventListener('abort', giveUp, { once: true });
  try {
    const response = await client.request({
      method: 'POST',
      path: base.pathPrefix + profile.path(call.machineId),
      headers: headersOf(call),
      body: JSON.stringify(profile.body(call)),
      reset: true,
    });
    const answer = await readAnswer(response, { secret: call.token });
    return classifyResponse(answer, {
      profile,
      parameters: call.parameters,
      correlationToken: call.correlationToken,
      tokenRenewed: call.tokenRenewed === true,
      nowMs: now(),
    });
  } catch (error) {
    return withoutAnswer(connection, stop, error);
  } finally {
    stop.removeEventListener('abort', giveUp);
    void client.destroy();
  }
}

function headersOf({ token, traceparent, tracestate }: StartCall): Record<string, string> {
  const traceable = traceparent !== undefined && /^[\da-f]{2}(-[\da-f]+){3}$/.test(traceparent);
  return {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json',
    'accept-encoding': 'identity',
    'user-agent': 'defender-investigation-queue',
    ...(traceable && { traceparent }),
    ...(traceable && tracestate !== undefined && /^[ -~]{1,512}$/.test(tracestate) && { tracestate }),
  };
}

function withoutAnswer(connection: SingleUseConnection, stop: AbortSignal, error: unknown): TransportVerdict {
  // An error before any connecting means that undici or the profile refused to build the request.
  if (!connection.handedOver()) {
    return { kind: 'not_sent', ...(connection.notSent() ?? { reason: 'invalid_request' }) };
  }
  if (stop.aborted) {
    return stop.reason === 'timeout' ? { kind: 'timeout' } : { kind: 'connection_lost', reason: 'shutdown' };
  }
  const code = codeOf(error);
  return { kind: 'connection_lost', reason: 'closed', ...(code !== undefined && { code }) };
}
