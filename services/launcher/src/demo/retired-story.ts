import { setTimeout as delay } from 'node:timers/promises';
import { DemoFailure } from './demo-failure.ts';
import { startDemoStack, type DemoStack } from './demo-stack.ts';
import { createIntakeClient, type IntakeClient, type Quota } from './intake-client.ts';
import { exampleFile, readBulkFile } from './read-bulk-file.ts';
import { readCallLog, retireCall } from './simulator-control.ts';
import { addresses, limit, type Story } from './story.ts';

const lookIntervalMs = 100;
const timeoutMs = 20_000;

/**
 * A Defender that no longer offers the call: the queue holds and says why, no request is lost, and an operator cancels
 * them. A run that is kept up stops before that, for a person to look and to decide.
 *
 * @throws DemoFailure when anything ends otherwise than it must
 */
export async function tellRetirement(story: Story): Promise<DemoStack> {
  const { lifecycle, write, isKept } = story;
  const bulk = await readBulkFile(exampleFile);
  write(announcement(bulk.expected.length));
  const stack = await startDemoStack({
    ...story,
    limit,
    // What ends before its call says nothing of the call.
    looksAhead: false,
  });
  lifecycle.closing.throwIfAborted();
  write(addresses(stack));
  await retireCall(stack);

  const intake = createIntakeClient(stack.intakeUrl, stack.apiKey);
  const { id: batchId, counts } = await intake.submit(bulk.batch);
  const taken = counts.accepted + counts.coalesced;
  write(
    `POST /v1/batches: accepted ${counts.accepted}, coalesced ${counts.coalesced}, rejected ${counts.rejected}\n\n`,
  );

  const hold = await holdFor('retired', intake, lifecycle.closing);
  write(`GET /v1/quota\n\n  "hold": ${JSON.stringify(hold, null, 2).replaceAll('\n', '\n  ')}\n\n`);
  const before = (await intake.batch(batchId)).counts;
  const waiting = before.queued + before.dispatching;
  if (before.failed > 0 || waiting !== taken)
    throw new DemoFailure(`${waiting} of ${taken} requests wait, ${before.failed} failed`, 'worker');
  const calls = (await readCallLog(stack)).length;
  write(`${counted(calls, 'call')} met the answer 410. ${waiting} of ${taken} requests wait, none failed.\n`);
  if (isKept) return stack;

  write(`DELETE /v1/batches/${batchId}: an operator cancels what need not wait\n`);
  await cancelAll(intake, batchId, taken, lifecycle.closing);
  write(`\nAll ${taken} requests are cancelled, and can be read as such. No investigation was started.\n`);
  return stack;
}

async function holdFor(
  reason: string,
  intake: IntakeClient,
  signal: AbortSignal,
): Promise<NonNullable<Quota['hold']>> {
  const endMs = performance.now() + timeoutMs;
  while (performance.now() < endMs) {
    const { hold } = await intake.quota();
    if (hold?.reason === reason) return hold;
    await delay(lookIntervalMs, undefined, { signal });
  }
  throw new DemoFailure(`no hold "${reason}" within ${timeoutMs / 1_000} s`, 'worker');
}

/** A request whose call is just being tried is cancelled once it waits again. */
async function cancelAll(
  intake: IntakeClient,
  batchId: string,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    await intake.cancel(batchId);
    const { cancelled } = (await intake.batch(batchId)).counts;
    if (cancelled === count) return;
    if (performance.now() > endMs)
      throw new DemoFailure(`only ${cancelled} of ${count} requests could be cancelled`, 'intake-api');
    await delay(lookIntervalMs, undefined, { signal });
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function announcement(count: number): string {
  return `
Defender Investigation Queue: what happens where Defender no longer offers the call (Microsoft's notice MC1411577).

  examples/bulk-request.json (${count} items) → intake API → queue → worker → Defender (simulated, answers 410)

Starting embedded Valkey, simulator, intake API and worker …
`;
}
