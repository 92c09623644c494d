import { DiqError } from '@diq/client/diq-error.ts';
import type { CallOptions } from '@diq/client/transport.ts';
import type { Context } from '../define-command.ts';
import type { Finding } from './finding.ts';

type Client = Context['client'];

/** With its repetitions: what doctor asks is answered at once, or is a finding. */
export const longestCallMs = 3_000;
/** Of a key that reaches hundreds; `--tenant` names any other. */
const mostTenants = 10;

/** What the key may do. Nothing is recorded: who may submit shows in the operations, or in a body that is refused. */
export async function checkKey(context: Context): Promise<Finding[]> {
  const { service, client, tenant } = context;
  const call = { signal: context.io.signal, timeoutMs: longestCallMs };
  const tenants: string[] = [];
  const refused = await probe(async () => {
    for await (const { name } of service.listTenants({}, call)) tenants.push(name);
  });
  if (refused?.status === 401) {
    const remedy = 'The service does not know the key: compare its hash with INTAKE_API_KEYS.';
    return [{ check: 'key', state: 'fault', detail: 'not accepted', remedy }];
  }
  if (refused?.code === 'forbidden') return checkWithoutRead(client, tenant, call);
  if (refused) return [notChecked('key', refused)];
  if (tenants.length === 0) {
    const remedy = 'Compare the tenants of its entry in INTAKE_API_KEYS with those of the service.';
    return [{ check: 'key', state: 'fault', detail: 'it reaches no tenant', remedy }];
  }
  const asked = tenant === undefined ? tenants.slice(0, mostTenants) : [tenant];
  const looks = await Promise.all(
    asked.map((name) => lookAt(name, service.ofTenant(name), { ...context, call })),
  );
  const scopes = new Set(['read', ...looks.flatMap((look) => look.scopes)]);
  const detail = `scopes: ${[...scopes].join(', ')}; tenants: ${tenants.join(', ')}`;
  return [{ check: 'key', state: 'ok', detail }, ...looks.map(({ finding }) => finding)];
}

async function checkWithoutRead(
  client: Client,
  tenant: string | undefined,
  call: CallOptions,
): Promise<Finding[]> {
  const refused = await probe(() => client.dryRunRequest({ comment: '' }, call));
  if (refused?.code === 'tenant_not_found') return [unknownTenant(tenant ?? '')];
  const isBodyRefused = refused?.status === 400 && refused.code !== 'tenant_required';
  if (!isBodyRefused && refused?.code !== 'forbidden') return [notChecked('key', refused)];
  const scopes =
    refused.code === 'forbidden' ? 'none that this command knows' : 'submit or respond, without read';
  const remedy =
    'Only submit and cancel work with it: watch, get, list, retry by id and quota need the scope read.';
  return [{ check: 'key', state: 'warning', detail: `scopes: ${scopes}`, remedy }];
}

/** What the key may do in a tenant, and how its queue is. A fault of one tenant leaves the findings of others. */
async function lookAt(
  tenant: string,
  client: Client,
  { operation, call }: { operation: Context['operation']; call: CallOptions },
): Promise<{ scopes: string[]; finding: Finding }> {
  const scopes: string[] = [];
  let finding: Finding | undefined;
  const failed = await probe(async () => {
    for (const { isAllowed, scope } of await client.listOperations({}, call))
      if (isAllowed) scopes.push(scope);
    finding = await checkQueue(client, operation, call);
  });
  if (failed?.code === 'tenant_not_found') return { scopes, finding: unknownTenant(tenant) };
  if (!finding) return { scopes, finding: notChecked(`queue ${tenant}`, failed) };
  const refused = await probe(async () => {
    for await (const _ of client.listAudit({ limit: 1 }, call)) break;
  });
  return { scopes: refused ? scopes : ['admin', ...scopes], finding };
}

async function checkQueue(
  client: Client,
  operation: Context['operation'],
  call: CallOptions,
): Promise<Finding> {
  const quota = await client.getQuota({ operation }, call);
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

function unknownTenant(tenant: string): Finding {
  const remedy = 'Check --tenant, DIQ_TENANT or the profile: the key reaches no tenant of this name.';
  return { check: `tenant ${tenant}`, state: 'fault', detail: 'not found', remedy };
}

function notChecked(check: string, error: DiqError | undefined): Finding {
  const detail = `could not be checked: ${error?.code ?? 'the answer was not expected'}`;
  if ((error?.status ?? 0) < 500) return { check, state: 'unknown', detail };
  return { check, state: 'fault', detail, remedy: 'See the log of the intake.' };
}

/** Why the call failed; `undefined` where it did not. */
async function probe(ask: () => Promise<unknown>): Promise<DiqError | undefined> {
  try {
    await ask();
    return undefined;
  } catch (error) {
    if (error instanceof DiqError) return error;
    throw error;
  }
}
