import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Request, RequestHandler, Response } from 'express';
import { Agent, type Dispatcher } from 'undici';
import { createBoundedConnector } from '@diq/runtime/http-client/bounded-connection.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import type { FrontDoorSettings } from '../config/front-door-settings.ts';
import { contextOf } from '../http/request-context.ts';
import { isPassedOn } from './allowed-paths.ts';
import { DefenderError } from './answer-as-defender.ts';
import { doorPathOf, doorUrl, throughDoor } from './door-url.ts';
import { askerOf } from './identify-asker.ts';
import { createPlaces } from './places.ts';
import { createLinkRewriter } from './rewrite-links.ts';

/** A page of Defender's has some MB, a library file up to 20 MB. */
const maxAnswerBytes = 64 * 1_024 * 1_024;
const maxBodyBytes = 32 * 1_024 * 1_024;
/** Hunting queries take up to some minutes. */
const answerTimeoutMs = 200_000;
const silenceTimeoutMs = 60_000;

const listenersOfAnswer = 30;

/** What Defender is to know of a request, and the caller of an answer. */
const sentHeaders = ['accept', 'if-match', 'prefer'];
const bodyHeaders = ['content-type', 'content-length', 'content-encoding'];
/** With another one a server may take the body for a request of its own. */
const methodsWithBody = ['POST', 'PATCH'];
const answeredHeaders = [
  'content-type',
  'content-disposition',
  'odata-version',
  'retry-after',
  'mise-correlation-id',
  'allow',
  'etag',
];

/** Connections to Defenders, which are made for one request each, and how they are closed. */
export function createPassThroughAgent(proxy?: Proxy): Agent {
  return new Agent({
    connect: createBoundedConnector({ maxBodyBytes: maxAnswerBytes, proxy }),
    maxResponseSize: maxAnswerBytes,
    headersTimeout: answerTimeoutMs,
    bodyTimeout: silenceTimeoutMs,
  });
}

interface PassThroughDeps {
  agent: Dispatcher;
  defenderUrlOf: FrontDoorSettings['defenderUrlOf'];
}

/**
 * Passes on what no queue stands in front of, with the caller's own token of Microsoft's, to the Defender of its tenant and to
 * no other host. Both bodies stream, within bounds; redirects are not followed. What comes with a token of ours goes on to the
 * next route: it is worth nothing there.
 */
export function passThrough({ agent, defenderUrlOf }: PassThroughDeps): RequestHandler {
  const places = createPlaces();

  return async (request, response, next) => {
    const { caller, tenant, microsoftToken } = askerOf(response);
    if (microsoftToken === undefined) return next();
    const query = /\?.*$/s.exec(request.originalUrl)?.[0] ?? '';
    // An earlier step may have put Defender's own id in the place of a provisional one.
    const translated: unknown = response.locals['defenderPath'];
    const path = typeof translated === 'string' ? translated : doorPathOf(request.originalUrl);
    const url = defenderUrlOf(tenant.tenant);
    if (url === undefined || !isPassedOn(request.method, path.replace(/^\/api(?:\/v1\.0)?(?=\/)/i, '')))
      throw new DefenderError(501, 'NotImplemented', 'This service does not pass that on to Defender.');
    const giveBack = places.take(caller.name, tenant.tenant.tenantId);
    if (!giveBack) throw tooMany();
    try {
      const base = new URL(url);
      const prefix = base.pathname.replace(/\/$/, '');
      const sent = { origin: base.origin, path: `${prefix}${path}${query}`, token: microsoftToken };
      await passOn(request, response, { agent, prefix, ...sent });
    } finally {
      giveBack();
    }
    return undefined;
  };
}

interface Sent {
  agent: Dispatcher;
  origin: string;
  path: string;
  prefix: string;
  token: string;
}

async function passOn(request: Request, response: Response, sent: Sent): Promise<void> {
  const stop = new AbortController();
  response.once('close', () => stop.abort());
  // It may have left while it was let in: the end of its body would never come.
  if (response.closed) stop.abort();
  const answer = await ask(request, sent, stop.signal);
  const { statusCode, headers, body } = answer;
  if (statusCode >= 300 && statusCode < 400) {
    body.destroy();
    throw new DefenderError(502, 'BadGateway', 'Defender answered with a redirect, which is not followed.');
  }
  const decoders = decodersFor(headers['content-encoding']);
  response.status(statusCode);
  for (const name of answeredHeaders) {
    // Of several the first: which is meant is not known, and what reads the body has to go by one.
    const [value] = [headers[name]].flat();
    if (value !== undefined) response.setHeader(name, value);
  }
  const isJson = /^application\/json\b/i.test(String(response.getHeader('content-type')));
  const base = doorUrl(request);
  const links = isJson ? [createLinkRewriter((link) => throughDoor(link, base, sent.prefix))] : [];
  // The steps of the pipeline listen beside what looks after every answer.
  response.setMaxListeners(listenersOfAnswer);
  try {
    await pipeline([body as Readable, ...decoders, atMost(maxAnswerBytes), ...links, response]);
  } catch (error) {
    // What came is out already: that it is not all is seen by the connection, which ends.
    contextOf(response).log.warn({ err: error }, 'front door: an answer of Defender broke off');
    response.destroy();
  }
}

async function ask(request: Request, { agent, origin, path, token }: Sent, signal: AbortSignal) {
  const declared = Number(request.headers['content-length'] ?? 0);
  const isSent = declared > 0 || request.headers['transfer-encoding'] !== undefined;
  const hasBody = isSent && methodsWithBody.includes(request.method);
  if (declared > maxBodyBytes) throw tooLarge();
  const bounded = hasBody ? atMost(maxBodyBytes) : null;
  if (bounded) request.pipe(bounded);
  const headers = Object.fromEntries(
    [...sentHeaders, ...(hasBody ? bodyHeaders : [])].flatMap((name) => {
      const value = request.headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
  try {
    return await agent.request({
      origin,
      path,
      method: request.method,
      headers: {
        ...headers,
        authorization: `Bearer ${token}`,
        'accept-encoding': 'identity',
        'user-agent': 'defender-investigation-queue',
      },
      body: bounded,
      reset: true,
      signal,
    });
  } catch (error) {
    request.unpipe();
    if (error instanceof TooMuch) throw tooLarge();
    throw new DefenderError(502, 'BadGateway', 'Defender cannot be reached from here at the moment.', {
      cause: error,
    });
  }
}

/** Defender compresses also where nothing was said of it. */
function decodersFor(coding: string | string[] | undefined): Transform[] {
  const decoders = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress };
  if (coding === undefined || coding === 'identity') return [];
  const create = typeof coding === 'string' && Object.hasOwn(decoders, coding) ? coding : undefined;
  if (create === undefined)
    throw new DefenderError(502, 'BadGateway', 'Defender answered in a coding that is not known here.');
  return [decoders[create as keyof typeof decoders]()];
}

class TooMuch extends Error {}

function atMost(bytes: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > bytes) done(new TooMuch(`more than ${bytes} bytes`));
      else done(null, chunk);
    },
  });
}

function tooLarge(): DefenderError {
  return new DefenderError(400, 'InvalidRequestBody', `A body has at most ${maxBodyBytes} bytes here.`);
}

function tooMany(): DefenderError {
  const message = 'Too many requests are under way to Defender through this service.';
  return new DefenderError(429, 'TooManyRequests', message, { headers: { 'Retry-After': '2' } });
}
