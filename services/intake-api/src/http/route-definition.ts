import type { z } from 'zod';
import type { ErrorCode } from '@diq/contracts/error-catalogue.ts';
import type { Scope } from '../auth/api-keys.ts';

/** Sections of the document, in the order in which they are shown. */
export const tags = ['Requests', 'Batches', 'Quota and queue', 'Operations'] as const;

/**
 * What a route promises, with the very schemas that it validates by. What follows from the fields, such as the problems
 * of everything that takes a body, is added by `problemsOf` and need not be told.
 */
export interface DocumentedOperation {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** As Express has it. */
  path: string;
  tag: (typeof tags)[number];
  /** A name for generated clients. */
  id: string;
  summary: string;
  description?: string;
  /** None where no credential is needed. */
  scope?: Scope;
  /** Whether it touches only what its caller asked for; with the scope `admin` also what others did. */
  isOwnOnly?: true;
  query?: z.ZodObject;
  body?: DocumentedBody;
  /** Whether an `Idempotency-Key` has its effect. */
  isIdempotent?: true;
  answers: Readonly<Record<number, DocumentedAnswer>>;
  /** Beside those that follow. */
  problems?: readonly ErrorCode[];
}

interface DocumentedBody {
  schema: z.ZodType;
  /** No body is an empty one. */
  isOptional?: true;
  example: object;
}

export interface DocumentedAnswer {
  description: string;
  schema: z.ZodType;
  /** Default `application/json`. */
  mediaType?: string;
  headers?: readonly HeaderUse[];
}

/** The name of a header, with a question mark where it is not always there. */
export type HeaderUse = HeaderName | `${HeaderName}?`;

export type HeaderName = keyof typeof headers;

/** Every header that is documented. */
export const headers = {
  'X-Request-Id': 'Of this HTTP request: the one it was sent with, or a new one. It leads to the log.',
  RateLimit: "What is left of the caller's requests per minute. Absent where the operators set no limit.",
  'RateLimit-Policy': "The limit on the caller's requests. Absent where the operators set none.",
  'Retry-After': 'Seconds to wait before asking again.',
  Location:
    'Where to ask on, in the form that answers 202 until the request has ended; of a batch, the batch.',
  'Operation-Location': 'Where to ask on, in the form that always answers 200.',
  'Idempotent-Replayed': '`true` when this is the first answer given again.',
  'WWW-Authenticate': 'How to authenticate, or what the credential lacks.',
  'Accept-Encoding': 'Compressions that are read, where the one of the body is not.',
} as const;
