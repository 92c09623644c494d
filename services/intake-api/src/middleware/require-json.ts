import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { MIMEType } from 'node:util';
import { raw } from 'express';
import type { Request, RequestHandler } from 'express';
import { describeFaults } from '../describe-faults.ts';
import { ProblemError } from '../problem-error.ts';
import { readJson } from '../read-json.ts';

/**
 * One item, with every character of its texts written as escapes, as clients do that send ASCII only: 12 bytes for each of
 * 4,000 in the comment, 6,400 in the correlation, 2,048 in the callback's URL and 128 in the source, and some room.
 */
export const singleBodyLimitBytes = 160 * 1_024;

/** 10,000 items of 6.5 KB on average: a comment of 4,000 plain characters each, with room for everything else. */
export const batchBodyLimitBytes = 64 * 1_024 * 1_024;

/** Reads a JSON body of at most this many bytes, counted after decompression. */
export function requireJson(limitBytes: number): RequestHandler[] {
  return [requireType, raw({ limit: limitBytes, type: () => true }), parseBody];
}

/** SHA-256 of the body as it was sent, decompressed; only for requests with an `Idempotency-Key`. */
export function bodyDigest(request: IncomingMessage): string | undefined {
  return digests.get(request);
}

const digests = new WeakMap<IncomingMessage, string>();

/** Like `requireJson`, where a request without a body means one with nothing in it. */
export function optionalJson(limitBytes: number): RequestHandler[] {
  return [...requireJson(limitBytes).map(unlessEmpty), fillIn];
}

function unlessEmpty(handler: RequestHandler): RequestHandler {
  return (request, response, next) => (hasBody(request) ? handler(request, response, next) : next());
}

const fillIn: RequestHandler = (request, _response, next) => {
  if (!hasBody(request)) request.body = {};
  next();
};

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
const parseBody: RequestHandler = (request, _response, next) => {
  const bytes = request.body as Buffer;
  if (request.headers['idempotency-key'] !== undefined) {
    digests.set(request, createHash('sha256').update(bytes).digest('hex'));
  }
  // Nothing, sent in chunks, means what no body means.
  request.body = bytes.length === 0 ? {} : readOrRefuse(bytes);
  next();
};

function readOrRefuse(bytes: Buffer): unknown {
  const reading = readJson(bytes);
  switch (reading.kind) {
    case 'read':
      return reading.value;
    case 'not-utf-8':
      throw new ProblemError('malformed_json', { detail: 'The body is not UTF-8.' });
    case 'malformed':
      throw new ProblemError('malformed_json', { detail: 'The body cannot be read as JSON.' });
    case 'doubled': {
      const { faults } = reading;
      throw new ProblemError('invalid_request', {
        detail: describeFaults(faults, 'the body'),
        errors: faults,
      });
    }
    default:
      return reading satisfies never;
  }
}
