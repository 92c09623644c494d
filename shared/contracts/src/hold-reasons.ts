/** Why no calls are made for now. A closed list: it is a metric's label. */
export const holdReasons = [
  'throttled',
  'not_allowed',
  'no_token',
  'endpoint_unusable',
  'disabled',
  'retired',
  'unreachable',
  'failing',
  'paused',
  'cold_start',
  'failover',
] as const;

export type AnyHoldReason = (typeof holdReasons)[number];

/** `required`: nothing goes on until an operator acts. `check`: it may pass by itself. `none`: it ends by itself. */
export const holdActions = ['required', 'check', 'none'] as const;
