import { DiqError } from '@diq/client/diq-error.ts';
import type { AnswerSeen } from '@diq/client/transport.ts';
import { isLoopbackHost } from '@diq/runtime/settings/setting-kinds.ts';
import type { Context } from '../define-command.ts';
import type { Target } from '../connection/find-target.ts';
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
    const { status, version, checks } = await service.getReadiness({ signal, timeoutMs: 3_000 });
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

/** What the key may do. Nothing is recorded: who may submit shows in the operations, or in a body that is refused. */
async function checkKey(context: Context): Promise<Finding[]> {
  const { service, io } = context;
  const { signal } = io;
  const tenants: string[] = [];
  const read = await probe(async () => {
    for await (const { name } of service.listTenants({}, { signal })) tenants.push(name);
  });
  if (read === 'unauthenticated') {
    const remedy = 'The service does not know the key: compare its hash with INTAKE_API_KEYS.';
    return [{ check: 'key', state: 'fault', detail: 'not accepted', remedy }];
  }
  if (read !== 'yes' && read !== 'forbidden')
    return [{ check: 'key', state: 'unknown', detail: `could not be checked: ${read}` }];
  if (read === 'forbidden') {
    const submit = await probe(() => service.dryRunRequest({ comment: '' }, { signal }));
    const scopes =
      submit === 'forbidden' ? 'none that this command knows' : 'submit or respond, without read';
    const remedy = 'Only submit works with it: watch, get, list and quota need the scope read.';
    return [{ check: 'key', state: 'warning', detail: `scopes: ${scopes}`, remedy }];
  }
  const named = tenants.length > 1 && context.client !== service ? [] : tenants;
  const clients =
    named.length === 0 ? [context.client] : named.slice(0, mostTenants).map((name) => service.ofTenant(name));
  const admin = await probe(async () => {
    for await (const _ of (clients[0] ?? context.client).listAudit({ limit: 1 }, { signal })) break;
  });
  const findings: Finding[] = [];
  const scopes = new Set(['read', ...(admin === 'yes' ? ['admin'] : [])]);
  for (const client of clients) {
    for (const { isAllowed, scope } of await client.listOperations({}, { signal }))
      if (isAllowed) scopes.add(scope);
    findings.push(await checkQueue(client, context));
  }
  const reached = tenants.length === 0 ? 'no tenant' : tenants.join(', ');
  return [
    { check: 'key', state: 'ok', detail: `scopes: ${[...scopes].join(', ')}; tenants: ${reached}` },
    ...findings,
  ];
}

/** Of a key that reaches hundreds; `--tenant` names any other. */
const mostTenants = 10;

async function checkQueue(client: Context['client'], { operation, io }: Context): Promise<Finding> {
  const quota = await client.getQuota({ operation }, { signal: io.signal });
  const check = `queue ${quota.tenant}/${quota.operation}`;
  const { hold, pause, workers, queue } = quota;
  const detail = `workers ${workers.state}, ${queue.queued} queued`;
  if (pause) {
    const remedy = 'diq resume ends it.';
    return { check, state: 'warning', detail: `${detail}, paused by ${pause.by}`, remedy };
  }
  if (hold && hold.action !== 'none')
    return {
      check,
      state: 'fault',
      detail: `${detail}, hold ${hold.reason}`,
      remedy: `${hold.detail} ${hold.runbook}`,
    };
  if (workers.state !== 'active')
    return { check, state: 'fault', detail, remedy: 'Nothing is called: see the log of the worker.' };
  return { check, state: 'ok', detail };
}

/** `yes`, or the code of the error. */
async function probe(ask: () => Promise<unknown>): Promise<string> {
  try {
    await ask();
    return 'yes';
  } catch (error) {
    if (error instanceof DiqError) return error.code;
    throw error;
  }
}
