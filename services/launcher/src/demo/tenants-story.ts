import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DemoFailure } from './demo-failure.ts';
import { createIntakeClient, type Batch, type IntakeClient } from './intake-client.ts';
import { mostWithin } from './judge-run.ts';
import { readCallLog } from './simulator-control.ts';
import { addresses, type Story } from './story.ts';
import { startTenantsStack, type DemoTenant, type TenantsStack } from './tenants-stack.ts';

const tenants: readonly DemoTenant[] = [
  { name: 'contoso', limit: 5 },
  { name: 'fabrikam', limit: 2 },
];
/** So many machines are posted to each queue. */
const counts = { initiateInvestigation: 6, runAntiVirusScan: 8 } as const;
const parameters = { initiateInvestigation: undefined, runAntiVirusScan: { scanType: 'Quick' } } as const;
type Operation = keyof typeof counts;
const operations = Object.keys(counts) as Operation[];

/** On top of the windows that the calls need. */
const spareMs = 20_000;

interface Posted {
  readonly tenant: DemoTenant;
  readonly operation: Operation;
  readonly machineIds: readonly string[];
  readonly batchId: string;
}

/**
 * Two tenants with two operations each, in one intake and one worker: four queues that neither see nor delay each other.
 *
 * @throws DemoFailure when anything ends otherwise than it must
 */
export async function tellTenants(story: Story): Promise<TenantsStack> {
  const { lifecycle, windowMs, write } = story;
  write(announcement(windowMs));
  const stack = await startTenantsStack(story, tenants);
  lifecycle.closing.throwIfAborted();
  write(addresses(stack));

  const intake = createIntakeClient(stack.intakeUrl, stack.apiKey);
  const posted: Posted[] = [];
  for (const tenant of tenants) {
    for (const operation of operations) posted.push(await post(intake, tenant, operation, write));
  }
  write('\n');
  const windows = Math.max(...tenants.map(({ limit }) => Math.ceil(counts.initiateInvestigation / limit)));
  await followAll(posted, intake, {
    windowMs,
    timeoutMs: windows * windowMs + spareMs,
    write,
    signal: lifecycle.closing,
  });
  write(await judge(posted, stack, windowMs));
  return stack;
}

async function post(
  intake: IntakeClient,
  tenant: DemoTenant,
  operation: Operation,
  write: Story['write'],
): Promise<Posted> {
  const machineIds = Array.from(
    { length: counts[operation] },
    () => `0${randomBytes(20).toString('hex').slice(1)}`,
  );
  const batch = {
    operation,
    defaults: { comment: 'INC-4711: suspicious logon', parameters: parameters[operation] },
    requests: machineIds.map((machineId) => ({ machineId })),
  };
  const { id: batchId, counts: taken } = await intake.submit(batch, tenant.name);
  if (taken.accepted !== machineIds.length)
    throw new DemoFailure(`${taken.accepted} of ${machineIds.length} items were accepted`, 'intake-api');
  const path = `/v1/tenants/${tenant.name}/batches`;
  write(`POST ${path.padEnd(32)} ${operation}: accepted ${taken.accepted}\n`);
  return { tenant, operation, machineIds, batchId };
}

async function followAll(
  posted: readonly Posted[],
  intake: IntakeClient,
  about: { windowMs: number; timeoutMs: number; write: Story['write']; signal: AbortSignal },
): Promise<void> {
  const { windowMs, timeoutMs, write, signal } = about;
  const endMs = performance.now() + timeoutMs;
  let shown = '';
  for (;;) {
    const batches = await Promise.all(posted.map(({ batchId }) => intake.batch(batchId)));
    const line = posted.map((one, i) => `${nameOf(one)} ${startedOf(batches[i])}`).join('   ');
    if (line !== shown) write(`${line}\n`);
    shown = line;
    if (batches.every(({ status }) => status === 'completed')) return;
    if (performance.now() > endMs)
      throw new DemoFailure(`requests still wait after ${Math.round(timeoutMs / 1_000)} s`, 'worker');
    await delay(Math.min(500, windowMs / 5), undefined, { signal });
  }
}

const nameOf = ({ tenant, operation }: Posted) => `${tenant.name}/${operation}`;
const startedOf = (batch: Batch | undefined) =>
  batch ? `${batch.counts.started}/${batch.counts.total}` : '';

/** Compares what arrived at each Defender with what was posted for its tenant. */
async function judge(posted: readonly Posted[], stack: TenantsStack, windowMs: number): Promise<string> {
  const lines: string[] = [];
  for (const [i, tenant] of tenants.entries()) {
    const simulator = stack.simulators[i];
    const calls = simulator ? await readCallLog(simulator) : [];
    const own = posted.filter((one) => one.tenant === tenant);
    const expected = own.flatMap(({ operation, machineIds }) => machineIds.map((id) => `${operation} ${id}`));
    const arrived = calls.map(({ operation, machineId }) => `${operation} ${machineId}`.toLowerCase());
    if (
      arrived.toSorted().join() !==
      expected
        .map((one) => one.toLowerCase())
        .toSorted()
        .join()
    )
      throw new DemoFailure(
        `${calls.length} calls arrived at ${tenant.name}, not the ${expected.length} posted`,
      );
    const starts = calls.filter(({ operation }) => operation.toLowerCase() === 'initiateinvestigation');
    const most = mostWithin(
      starts.map(({ atMs }) => atMs),
      windowMs,
    );
    if (most > tenant.limit)
      throw new DemoFailure(
        `${most} investigations in one window of ${tenant.name}, allowed are ${tenant.limit}`,
      );
    lines.push(
      `  ${tenant.name}: ${starts.length} investigations, never more than ${most} in any rolling ${windowMs / 1_000} s (allowed: ${tenant.limit}); ${calls.length - starts.length} scans`,
    );
  }
  return `\nChecked against the logs of the simulated Defenders:\n${lines.join('\n')}\n  each call arrived at the Defender of its own tenant, once\n`;
}

function announcement(windowMs: number): string {
  const window = `${windowMs / 1_000} s`;
  const limits = tenants.map(({ name, limit }) => `${name} ${limit}`).join(', ');
  return `
Defender Investigation Queue: two tenants, two operations each, one intake and one worker.

  contoso, fabrikam × initiateInvestigation, runAntiVirusScan → four queues → two Defenders (simulated)

  Investigations in any ${window}: ${limits}. Scans have Defender's own limits, 100 per minute and 1,500 per hour.

Starting embedded Valkey, two simulators, intake API and worker …
`;
}
