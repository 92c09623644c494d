import { holdReasons, type AnyHoldReason, type holdActions } from '@diq/contracts/hold-reasons.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { ThrottleCause } from '@diq/quota/ledger/answers-and-holds.ts';
import type { Hold } from '@diq/quota/ledger/replies.ts';
import { isoTime } from '../estimates/forecast-start.ts';

type Reason = AnyHoldReason;

/** By reason what to check, and the heading in docs/runbook.md that says what to do. A closed list: nothing of what servers say. */
const advice: Readonly<
  Record<Reason, { action: (typeof holdActions)[number]; detail: string; heading: string }>
> = {
  throttled: {
    action: 'none',
    detail:
      'Defender asked to wait: another program uses the quota of this application, or the limit is set too high.',
    heading: 'holdactivetoolong',
  },
  not_allowed: {
    action: 'required',
    detail:
      'Defender or a gateway in front of it refuses the application. Check its role, its consent, and proxies in between.',
    heading: 'defenderauthenticationfailing',
  },
  no_token: {
    action: 'required',
    detail: 'Entra ID gives no usable token. Check tenant, application, and its secret or certificate.',
    heading: 'defenderauthenticationfailing',
  },
  endpoint_unusable: {
    action: 'required',
    detail:
      'What answers is not the Defender API. Check DEFENDER_BASE_URL, DEFENDER_OPERATION, and gateways and proxies in between.',
    heading: 'endpointunusable',
  },
  disabled: {
    action: 'required',
    detail: 'Defender says that the feature is switched off for this tenant. Check its settings and licence.',
    heading: 'endpointretired',
  },
  retired: {
    action: 'required',
    detail: 'Defender says that it no longer offers this call. Check its notices.',
    heading: 'endpointretired',
  },
  unreachable: {
    action: 'check',
    detail: 'No connection to Defender can be made. Check name resolution, firewall, proxy and certificates.',
    heading: 'holdactivetoolong',
  },
  failing: {
    action: 'check',
    detail: 'Defender answers with errors, or not in time. Check the service health of Microsoft 365.',
    heading: 'defendercallsfailing',
  },
  paused: {
    action: 'required',
    detail: 'An operator paused the queue, and can resume it.',
    heading: 'queuepausedtoolong',
  },
  cold_start: {
    action: 'none',
    detail:
      'The record of past calls was empty. Calls go on once it is known what was called within the last window.',
    heading: 'after-a-cold-start',
  },
  failover: {
    action: 'none',
    detail:
      'Redis was restarted or failed over. Calls go on once all workers have reported the calls they remember.',
    heading: 'after-a-failover',
  },
};

/** In place of what is known of a hold `throttled`, by whose calls the 429 followed. It ends by itself, and comes again. */
const throttledAdvice: Readonly<Record<ThrottleCause, { detail: string; heading: string }>> = {
  own: {
    detail:
      'Defender asked to wait after our own calls alone: the limit is set too high. Check DEFENDER_CALLS_PER_WINDOW and DEFENDER_WINDOW.',
    heading: 'throttledbyownuse',
  },
  external: {
    detail: 'Defender asked to wait: another program uses the quota of this application. Find it.',
    heading: 'throttledbyothers',
  },
  unclear: { detail: advice.throttled.detail, heading: 'throttledbyothers' },
};

/** No answer of Entra ID came, or one of a server that fails: codes of Node.js' network and TLS layers, and of the worker. */
const entraAway = /^(?:[A-Z_]+|timeout|network_error|http_5\d\d)$/;

/** In place of what is known of a hold `no_token` while Entra ID does not answer. */
const entraAwayAdvice = {
  action: 'check',
  detail:
    'Entra ID cannot be reached, or answers with errors. Check name resolution, firewall, proxy and certificates.',
} as const;

/** In place of what is known, for what the operation itself knows better. */
function ofOperation(reason: Reason | undefined, own: OperationProfile['advice']) {
  if (reason === 'retired' || reason === 'disabled') return { detail: own[reason] };
  return reason === 'not_allowed' ? { detail: own.forbidden } : {};
}

/** A hold as callers get it: why, until when at the least, what was met last, and what to check. */
export function describeHold(hold: Hold, { advice: own }: Pick<OperationProfile, 'advice'>) {
  const { untilMs, httpStatus, code, cause, throttleCause } = hold;
  const shown = cause ?? hold.reason;
  const reason = holdReasons.find((one) => one === shown);
  const known = advice[reason ?? 'failing'];
  const isEntraAway = reason === 'no_token' && code !== undefined && entraAway.test(code);
  const { action, detail, heading } = {
    ...known,
    ...ofOperation(reason, own),
    ...(throttleCause && { action: 'check' as const, ...throttledAdvice[throttleCause] }),
    ...(isEntraAway && entraAwayAdvice),
  };
  const met = [httpStatus && `HTTP ${httpStatus}`, code].filter(Boolean);
  return {
    // It ends as soon as its cause does, and not before.
    until: isoTime(cause === undefined ? untilMs : undefined) ?? null,
    reason: shown,
    action,
    detail: met.length === 0 ? detail : `${detail} Last answer: ${met.join(', ')}.`,
    runbook: `docs/runbook.md#${heading}`,
  };
}
