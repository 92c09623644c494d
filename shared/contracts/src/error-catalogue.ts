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
  not_owner: { status: 403, title: 'It belongs to another caller' },
  cross_site: { status: 403, title: 'Asked from a page of another site' },
  request_not_found: { status: 404, title: 'No such investigation request' },
  batch_not_found: { status: 404, title: 'No such batch' },
  route_not_found: { status: 404, title: 'No such route' },
  method_not_allowed: { status: 405, title: 'The route does not offer this method' },
  already_dispatched: { status: 409, title: 'The call for the request was made already' },
  already_ended: { status: 409, title: 'The request has ended already' },
  nothing_to_retry: { status: 409, title: 'Only what failed or is unknown can be retried' },
  changed_too_often: { status: 409, title: 'The request was changed as often as it may be' },
  deadline_passed: { status: 409, title: 'The deadline of the request has passed' },
  idempotency_in_flight: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still being handled',
  },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  foreign_host: { status: 421, title: 'Asked under a host name that is not of this service' },
  deadline_unreachable: { status: 422, title: 'The deadline cannot be met by the present estimate' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key stands for another request' },
  too_many_joined: { status: 429, title: 'Too many requests wait for this machine' },
  storage_full: { status: 429, title: 'As much is stored of the caller as may' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  backlog_full: { status: 503, title: 'More waits than may wait' },
  intake_busy: { status: 503, title: 'Too many large requests are being handled' },
  identity_unavailable: { status: 503, title: 'Tokens cannot be checked at the moment' },
  too_many_listeners: { status: 503, title: 'As many listen as may listen' },
  redis_full: { status: 503, title: 'The memory of Redis is nearly full' },
  redis_unavailable: { status: 503, title: 'The queue cannot be reached at the moment' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCatalogue;
