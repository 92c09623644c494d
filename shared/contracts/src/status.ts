/** Every status a request can have, in the order in which a request meets them. */
export const requestStatuses = [
  'queued',
  'dispatching',
  'started',
  'failed',
  'unknown',
  'cancelled',
  'expired',
] as const;

export type RequestStatus = (typeof requestStatuses)[number];

/**
 * The moves a request may make. `dispatching → queued` is the way back of a call that never left, was throttled or
 * was not allowed: the request keeps its place. `queued → started` and `queued → failed` go without a call: a look ahead
 * showed that none was needed. A status without moves is terminal.
 */
export const allowedMoves: Readonly<Record<RequestStatus, readonly RequestStatus[]>> = {
  queued: ['dispatching', 'started', 'failed', 'cancelled', 'expired'],
  dispatching: ['started', 'failed', 'unknown', 'queued'],
  started: [],
  failed: [],
  unknown: [],
  cancelled: [],
  expired: [],
};

export type TerminalStatus = Exclude<RequestStatus, 'queued' | 'dispatching'>;

export function isTerminal(status: RequestStatus): status is TerminalStatus {
  return allowedMoves[status].length === 0;
}
