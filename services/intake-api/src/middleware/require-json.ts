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
  return [requireType, json({ limit: limitBytes, strict: false, type: () => true })];
}

const requireType: RequestHandler = (request, _response, next) => {
  const type = request.is('application/json');
  if (type === null) throw new ProblemError('invalid_request', { detail: 'A JSON body is required.' });
  if (type === false) {
    throw new ProblemError('unsupported_media_type', { detail: 'Send `Content-Type: application/json`.' });
  }
  next();
};
