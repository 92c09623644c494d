/**
 * All errors of the HTTP API: programs read the stable `code`, people the `title`.
 * The only place that chooses an HTTP status.
 */
export const errorCatalogue = {
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_request: { status: 400, title: 'The request is not valid' },
  no_acceptable_item: { status: 400, title: 'No item of the batch is acceptable' },
  tenant_required: { status: 400, title: 'The request does not name its tenant' },
  unauthenticated: { status: 401, title: 'A valid credential is required' },
  forbidden: { status: 403, title: 'The credential lacks the required scope' },
  not_owner: { status: 403, title: 'The request or batch belongs to another caller' },
  cross_site: { status: 403, title: 'The request comes from a page of another site' },
  request_not_found: { status: 404, title: 'No such investigation request' },
  batch_not_found: { status: 404, title: 'No such batch' },
  tenant_not_found: { status: 404, title: 'No such tenant' },
  result_not_found: { status: 404, title: 'There is nothing to fetch' },
  route_not_found: { status: 404, title: 'No such route' },
  method_not_allowed: { status: 405, title: 'The route does not offer this method' },
  already_dispatched: { status: 409, title: 'The call to Defender was already made' },
  already_ended: { status: 409, title: 'The request has already ended' },
  nothing_to_retry: { status: 409, title: 'Only failed and unknown requests can be retried' },
  result_not_ready: { status: 409, title: 'What the action brings is not there yet' },
  changed_too_often: { status: 409, title: 'The request was changed too many times' },
  deadline_passed: { status: 409, title: 'The deadline of the request has passed' },
  tenant_removed: { status: 409, title: 'The tenant or operation was removed from the settings' },
  idempotency_in_flight: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still in progress',
  },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  foreign_host: { status: 421, title: 'The host name does not belong to this service' },
  deadline_unreachable: {
    status: 422,
    title: 'The deadline cannot be met according to the current estimate',
  },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used for a different request' },
  too_many_joined: { status: 429, title: 'Too many requests are waiting for this machine' },
  storage_full: { status: 429, title: 'The storage limit of the caller is reached' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal_error: { status: 500, title: 'Internal error' },
  backlog_full: { status: 503, title: 'The backlog is full' },
  intake_busy: { status: 503, title: 'Too many large requests are in progress' },
  link_unavailable: { status: 503, title: 'Defender cannot be asked for the link at the moment' },
  identity_unavailable: { status: 503, title: 'Tokens cannot be verified at the moment' },
  too_many_listeners: { status: 503, title: 'Too many event streams are open' },
  other_version: { status: 503, title: 'Another version of the service holds the data of the queue' },
  redis_full: { status: 503, title: 'The memory of Redis is nearly full' },
  redis_unavailable: { status: 503, title: 'The queue cannot be reached at the moment' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCatalogue;
