import { startDemoStack, type DemoStack } from './demo-stack.ts';
import { DemoFailure } from './demo-failure.ts';
import { expectedCalls, type ExpectedOutcome } from './expect-outcomes.ts';
import { followBatch } from './follow-batch.ts';
import { createIntakeClient } from './intake-client.ts';
import { judgeRun, type Verdict } from './judge-run.ts';
import { outcomeTable } from './outcome-table.ts';
import { createProgressBar, createProgressLines } from './progress-view.ts';
import { readBulkFile, exampleFile, type BulkRequest } from './read-bulk-file.ts';
import { readCallLog } from './simulator-control.ts';
import { addresses, limit, type Story } from './story.ts';

/** On top of the windows that the calls need. */
const spareMs = 20_000;

/**
 * One bulk request, from its submission to the investigation ids, judged by what arrived at the simulated Defender.
 *
 * @throws DemoFailure when anything ends otherwise than it must
 */
export async function tellWholePath(story: Story): Promise<DemoStack> {
  const { lifecycle, windowMs, write } = story;
  const bulk = await readBulkFile(exampleFile);
  write(announcement(bulk, windowMs));
  const stack = await startDemoStack({ ...story, limit });
  lifecycle.closing.throwIfAborted();
  write(addresses(stack));

  const intake = createIntakeClient(stack.intakeUrl, stack.apiKey);
  const { id: batchId, counts, items: atTheDoor } = await intake.submit(bulk.batch);
  const { accepted, coalesced, rejected } = counts;
  write(`POST /v1/batches: accepted ${accepted}, coalesced ${coalesced}, rejected ${rejected}\n`);
  write(`GET /v1/batches/${batchId}\n\n`);
  const windows = Math.ceil(expectedCalls(bulk.expected) / limit);
  const view =
    story.isVerbose || !process.stdout.isTTY ? createProgressLines(write) : createProgressBar(process.stdout);
  lifecycle.onClose('progress', () => view.close());
  await followBatch({
    intake,
    batchId,
    intervalMs: Math.min(500, windowMs / 5),
    timeoutMs: windows * windowMs + spareMs,
    show: (progress) => view.show(progress),
    signal: lifecycle.closing,
  });
  view.close();

  const { machines, expected } = bulk;
  const inTheEnd = await intake.items(batchId);
  const columns = process.stdout.columns ?? 120;
  write(`\n${outcomeTable({ machines, expected, atTheDoor, inTheEnd, columns })}\n\n`);
  const calls = await readCallLog(stack);
  write(
    conclusion(judgeRun({ expected, atTheDoor, inTheEnd, calls, limit, windowMs }), calls.length, windowMs),
  );
  return stack;
}

function announcement({ expected }: BulkRequest, windowMs: number): string {
  const count = (isCounted: (outcome: ExpectedOutcome) => boolean) => expected.filter(isCounted).length;
  const malformed = count(({ kind }) => kind === 'rejected');
  const repeated = count((outcome) => outcome.kind !== 'rejected' && outcome.with !== undefined);
  const unknown = count(({ kind }) => kind === 'unknown-machine');
  const window = `${windowMs / 1_000} s`;
  return `
Defender Investigation Queue: one bulk request, all the way, on this machine alone.

  examples/bulk-request.json (${expected.length} items) → intake API → queue → worker → Defender (simulated)

  Malformed items: ${malformed}; naming a machine once more: ${repeated}; machines that Defender does not know: ${unknown}.
  So at most ${expectedCalls(expected)} calls have to be made, at most ${limit} in any ${window}; the others wait for their turn.
  Window shortened to ${limit} per ${window} for the demo; Defender's own is ${limit} per hour.

Starting embedded Valkey, simulator, intake API and worker …
`;
}

function conclusion({ faults, mostInAnyWindow }: Verdict, calls: number, windowMs: number): string {
  if (faults.length > 0) throw new DemoFailure(faults.join('; '));
  return `Checked against the log of the simulated Defender:
  ${calls} calls arrived, never more than ${mostInAnyWindow} in any rolling ${windowMs / 1_000} s (allowed: ${limit})
  one investigation per machine, and each caller has its id
  every item ended as its line in the file demands
`;
}
