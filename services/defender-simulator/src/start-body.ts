import type { JsonBody } from './json-body.ts';

export type CommentReading =
  { kind: 'comment'; text: string } | { kind: 'invalid'; code: string; message: string };

/** Takes the mandatory `Comment` out of the body of a start call; the key counts in exactly this spelling. */
export function commentOf(body: JsonBody): CommentReading {
  if (body.kind !== 'json' || !isObject(body.value)) return incorrect;
  const { Comment: comment, ...rest } = body.value;
  if (comment === undefined || comment === null || comment === '') return missing;
  if (typeof comment !== 'string' || Object.keys(rest).length > 0) return incorrect;
  return { kind: 'comment', text: comment };
}

const incorrect: CommentReading = {
  kind: 'invalid',
  code: 'InvalidRequestBody',
  message: 'Request body is incorrect',
};

const missing: CommentReading = {
  kind: 'invalid',
  code: 'MissingRequiredParameter',
  message: 'Required parameter Comment is missing',
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
