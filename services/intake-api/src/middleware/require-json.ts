import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { json } from 'express';
import type { RequestHandler } from 'express';
import { ProblemError } from '../problem-error.ts';

/**
 * One item: a comment of 4,000 characters takes at most 24 KB with every one of them escaped, and 20 correlation
 * entries of 320 characters some 38 KB written the same way.
 */
export const singleBodyLimitBytes = 64 * 1_024;

/** 10,000 items of 6 KB: a comment of 4,000 characters each, with room for everything else. */
export const batchBodyLimitBytes = 64 * 1_024 * 1_024;

/** Reads a JSON body of at most this many bytes, counted after decompression. */
export function requireJson(limitBytes: number): RequestHandler[] {
  // Not strict: that a body is no object is for the schema to say, in words that fit.
  return [requireType, json({ limit: limitBytes, strict: false, type: () => true, verify: noteDigest })];
}

/** SHA-256 of the body as it was sent, decompressed; only for requests with an `Idempotency-Key`. */
export function bodyDigest(request: IncomingMessage): string | undefined {
  return digests.get(request);
}

const digests = new WeakMap<IncomingMessage, string>();

function noteDigest(request: IncomingMessage, _response: unknown, body: Buffer): void {
  if (request.headers['idempotency-key'] === undefined) return;
  digests.set(request, createHash('sha256').update(body).digest('hex'));
}

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
  next();
};
