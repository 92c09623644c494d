import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MIMEType } from 'node:util';
import type { Request, RequestHandler, Response } from 'express';
import { maxBatchItems } from '@diq/contracts/investigation-item.ts';
import type { BodyBudget, BodyShare } from '../body-budget.ts';
import { readBytes, takeForValues } from '../read-bytes.ts';
import { maxDifferentNames, readJson } from '../read-json.ts';
import { describeFaults } from '../parse-or-400.ts';
import { ProblemError } from '../problem-error.ts';
import { contextOf } from '../request-context.ts';

/**
 * One item, with every character of its texts written as escapes, as clients do that send ASCII only: 12 bytes for each of
 * 4,000 in the comment, 6,400 in the correlation, 2,048 in the callback's URL and 128 in the source, and some room.
 */
export const singleBodyLimitBytes = 160 * 1_024;

/** 10,000 items of 6.5 KB on average: a comment of 4,000 plain characters each, with room for everything else. */
export const batchBodyLimitBytes = 64 * 1_024 * 1_024;

/** A valid item has 30: more, so that a faulty item is refused by itself. */
const maxValuesOfItem = 40;

const largeBodyBytes = 128 * 1_024;
/** Of large bodies one is read in each turn of the event loop: some 10 ms for each MB, in which no others are served. */
let lastLargeBody = Promise.resolve();

/** A client that reads has taken an answer of 2 MB by then. */
const unreadGraceMs = 5_000;

/**
 * Reads a JSON body of at most this many bytes, counted after decompression. It stands behind what decides who may ask:
 * nothing is read for anybody else. What the body takes of the budget is given back when the request is over.
 */
export function requireJson(
  limitBytes: number,
  budget: BodyBudget,
  maxItems = limitBytes === batchBodyLimitBytes ? maxBatchItems : 16,
): RequestHandler[] {
  const maxValues = maxValuesOfItem * maxItems;
  return [requireType, readBody(limitBytes, maxValues, budget)];
}

/** SHA-256 of the body as it was sent, decompressed; only for requests with an `Idempotency-Key`. */
export function bodyDigest(request: IncomingMessage): string | undefined {
  return digests.get(request);
}

const digests = new WeakMap<IncomingMessage, string>();

/** Like `requireJson`, where a request without a body means one with nothing in it. */
export function optionalJson(limitBytes: number, budget: BodyBudget): RequestHandler[] {
  return requireJson(limitBytes, budget).map((handler): RequestHandler => (request, response, next) => {
    if (hasBody(request)) return handler(request, response, next);
    request.body = {};
    return next();
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

const requireType: RequestHandler = (request, _response, next) => {
  const type = request.is('application/json');
  if (type === null) throw new ProblemError('invalid_request', { detail: 'A JSON body is required.' });
  if (type === false) {
    throw new ProblemError('unsupported_media_type', { detail: 'Send `Content-Type: application/json`.' });
  }
  if (!/^utf-?8$/i.test(charsetOf(request))) {
    throw new ProblemError('unsupported_media_type', {
      detail:
        'Content-Type names a charset that is not read here. Send the body in UTF-8, and name no other.',
    });
  }
  next();
};

function charsetOf(request: Request): string {
  try {
    return new MIMEType(request.get('Content-Type') ?? '').params.get('charset') ?? 'utf-8';
  } catch {
    return '';
  }
}

/** That a body is no object is for the schema to say, in words that fit. */
function readBody(limitBytes: number, maxValues: number, budget: BodyBudget): RequestHandler {
  return async (request, response, next) => {
    const stop = new AbortController();
    const share = budget.open(contextOf(response).identified?.name ?? '', () => stop.abort());
    shareUntilSent(request, response, share);
    const bytes = await readBytes(request, limitBytes, { share, stop: stop.signal });
    share.arrived();
    if (bytes.length > largeBodyBytes) await (lastLargeBody = lastLargeBody.then(() => nextTurn()));
    if (request.headers['idempotency-key'] !== undefined) {
      digests.set(request, createHash('sha256').update(bytes).digest('hex'));
    }
    // Nothing, sent in chunks, means what no body means.
    request.body = bytes.length === 0 ? {} : readOrRefuse(bytes, maxValues, share);
    next();
  };
}

/**
 * Counts the body until its answer is made, and the answer until it is sent; where the caller has hung up, until it is made.
 * A caller that does not read its answer keeps no room that another one needs.
 */
function shareUntilSent(request: Request, response: Response, share: BodyShare): void {
  const { end } = response;
  let timer: NodeJS.Timeout | undefined;
  response.end = ((...parameters: Parameters<typeof end>) => {
    request.body = undefined;
    if (response.closed) share.release();
    else {
      share.answered(bytesOf(parameters[0]));
      timer = setTimeout(() => share.unread(() => response.destroy()), unreadGraceMs).unref();
    }
    return end.apply(response, parameters);
  }) as typeof end;
  response.once('close', () => {
    clearTimeout(timer);
    if (response.headersSent) share.release();
  });
}

function bytesOf(chunk: unknown): number {
  return typeof chunk === 'string' || Buffer.isBuffer(chunk) ? chunk.length : 0;
}

function readOrRefuse(bytes: Buffer, maxValues: number, share: BodyShare): unknown {
  const reading = readJson(bytes, maxValues, (values) => takeForValues(share, values));
  switch (reading.kind) {
    case 'read':
      return reading.value;
    case 'not-utf-8':
      throw new ProblemError('malformed_json', { detail: 'The body is not UTF-8.' });
    case 'malformed':
      throw new ProblemError('malformed_json', { detail: 'The body cannot be read as JSON.' });
    case 'too-deep':
      throw new ProblemError('invalid_request', { detail: 'The body is nested deeper than any request is.' });
    case 'too-many-values':
      throw new ProblemError('invalid_request', {
        detail: `The body holds more than ${maxValues} values, which no request has.`,
      });
    case 'too-many-names':
      throw new ProblemError('invalid_request', {
        detail: `The objects of the body have more fields than those of any request do, or more than ${maxDifferentNames} different names.`,
      });
    case 'doubled':
      throw new ProblemError('invalid_request', {
        detail: describeFaults(reading.faults, 'the body'),
        errors: reading.faults,
      });
    default:
      return reading satisfies never;
  }
}
