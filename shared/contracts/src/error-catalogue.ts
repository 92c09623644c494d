/**
 * Every error the HTTP API can answer with: `code` is stable and meant for programs, `title` for people.
 * The one place where an HTTP status is chosen.
 */
export const errorCatalogue = {
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_request: { status: 400, title: 'The request is not valid' },
  no_acceptable_item: { status: 400, title: 'No item of the batch is acceptable' },
  unauthenticated: { status: 401, title: 'A valid credential is required' },
  forbidden: { status: 403, title: 'The credential lacks the required scope' },
  request_not_found: { status: 404, title: 'No such investigation request' },
  batch_not_found: { status: 404, title: 'No such batch' },
  route_not_found: { status: 404, title: 'No such route' },
  method_not_allowed: { status: 405, title: 'The route does not offer this method' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  redis_unavailable: { status: 503, title: 'The queue cannot be reached at the moment' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCatalogue;
