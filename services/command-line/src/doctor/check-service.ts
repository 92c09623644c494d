import { DiqError } from '@diq/client/diq-error.ts';
import type { AnswerSeen } from '@diq/client/transport.ts';
import { isLoopbackHost } from '@diq/runtime/settings/setting-kinds.ts';
import type { Context } from '../define-command.ts';
import type { Target } from '../connection/find-target.ts';
import { checkKey, longestCallMs } from './check-key.ts';
import type { Finding } from './finding.ts';

/** Clocks that are further apart move deadlines and the times that people read. */
const mostSkewMs = 5_000;

/** What can be seen of the service from here. */
export async function checkService(context: Context): Promise<Finding[]> {
  const { target } = context;
  if (target instanceof Error) {
    const remedy = [target.message, ...target.lines].join(' ');
    return [{ check: 'address and key', state: 'fault', detail: 'not found', remedy }];
  }
  const found: Finding[] = [checkAddress(target)];
  const ready = await checkReadiness(context);
  found.push(ready, ...checkClock(context.lastAnswer()));
  if (ready.state === 'fault' && context.lastAnswer() === undefined) return found;
  found.push(...(await checkKey(context)));
  return found;
}

function checkAddress({ url, source }: Target): Finding {
  const { origin, protocol, hostname } = new URL(url);
  const isOpen = protocol === 'http:' && !isLoopbackHost(hostname);
  const detail = `${origin}, of ${source}`;
  if (!isOpen) return { check: 'address and key', state: 'ok', detail };
  const remedy = 'The key crosses the network in the clear: use https.';
  return { check: 'address and key', state: 'warning', detail, remedy };
}

async function checkReadiness({ service, io: { signal } }: Context): Promise<Finding> {
  const check = 'service';
  try {
    const { status, version, checks } = await service.getReadiness({ signal, timeoutMs: longestCallMs });
    const detail = `version ${version}, ${status}`;
    if (status === 'ok') return { check, state: 'ok', detail };
    const named = Object.entries(checks).map(([name, state]) => `${name}: ${state}`);
    return {
      check,
      state: 'fault',
      detail: `${detail} (${named.join(', ')})`,
      remedy: 'See the log of the intake.',
    };
  } catch (error) {
    if (!(error instanceof DiqError)) throw error;
    const remedy =
      error.code === 'unexpected_answer' || error.code === 'redirected'
        ? 'Something else answers there: check the address, and the path that a proxy serves the API under.'
        : 'Check address, network and TLS (a certificate of your own: NODE_EXTRA_CA_CERTS), and whether the intake runs.';
    return { check, state: 'fault', detail: error.detail, remedy };
  }
}

/** The service's clock is that of its answer; half of the way there and back is not known. */
function checkClock(answer: AnswerSeen | undefined): Finding[] {
  const date = Date.parse(answer?.headers.get('date') ?? '');
  if (answer === undefined || Number.isNaN(date)) return [];
  const skewMs = Date.now() - answer.durationMs / 2 - date;
  // The header has whole seconds.
  const seconds = Math.round((skewMs - 500) / 1_000);
  const detail = `this machine's is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} the service's`;
  if (Math.abs(skewMs) <= mostSkewMs) return [{ check: 'clock', state: 'ok', detail }];
  const remedy = 'Set one of the clocks (NTP): deadlines such as --not-after are judged by the service.';
  return [{ check: 'clock', state: 'warning', detail, remedy }];
}
