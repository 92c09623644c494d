import type { RebuildFailure } from '@diq/quota/ledger/ledger.ts';
import type { StartedReading } from './list-recent-starts.ts';

type Unreadable = Extract<StartedReading, { kind: 'unreadable' }>;

/** Calls would meet the same: they share token, address and network with the reading. */
const causes: Readonly<Record<Exclude<Unreadable['reason'], 'closed'>, RebuildFailure['cause']>> = {
  'no-token': 'no_token',
  'token-rejected': 'not_allowed',
  'not-allowed': 'not_allowed',
  throttled: 'throttled',
  'server-error': 'failing',
  timeout: 'failing',
  'too-many-pages': 'failing',
  connection: 'unreachable',
  'not-found': 'endpoint_unusable',
  'unexpected-answer': 'endpoint_unusable',
  'unknown-coding': 'endpoint_unusable',
  'too-long': 'endpoint_unusable',
  'foreign-link': 'endpoint_unusable',
};

/** Why Defender's list could not be read, in the terms of holds; `undefined` where the worker itself gave up. */
export function rebuildFailureOf({ reason, httpStatus, code }: Unreadable): RebuildFailure | undefined {
  return reason === 'closed' ? undefined : { cause: causes[reason], httpStatus, code };
}
