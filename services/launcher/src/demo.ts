import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Lifecycle } from '@diq/runtime/lifecycle.ts';
import { createLogger } from '@diq/runtime/logger.ts';
import { duration, flag, readSettings } from '@diq/runtime/read-settings.ts';
import { DemoFailure } from './demo/demo-failure.ts';
import { startDemoStack, type DemoStack, type DemoStackOptions } from './demo/demo-stack.ts';
import { expectedCalls, type ExpectedOutcome } from './demo/expect-outcomes.ts';
import { followBatch } from './demo/follow-batch.ts';
import { createIntakeClient } from './demo/intake-client.ts';
import { judgeRun, type Verdict } from './demo/judge-run.ts';
import { outcomeTable } from './demo/outcome-table.ts';
import { createProgressBar, createProgressLines } from './demo/progress-view.ts';
import { readBulkFile, type BulkRequest } from './demo/read-bulk-file.ts';
import { readCallLog } from './demo/read-call-log.ts';
import { createRecentLines } from './demo/recent-lines.ts';
import { sandboxGuide } from './demo/sandbox.ts';
import { runToEnd } from './run-to-end.ts';

const exampleFile = new URL('../../../examples/bulk-request.json', import.meta.url);
/** Defender's own number; only the window is shortened. */
const limit = 5;
/** On top of the windows that the calls need. */
const spareMs = 20_000;

const write = (text: string): void => void process.stdout.write(text);
const complain = (text: string): void => void process.stderr.write(text);

let isSandbox = false;

await runToEnd({
  env: process.env,
  logger: createLogger({ level: 'error', service: 'demo', destination: { write: complain } }),
  run,
  // A sandbox is meant to be ended by a signal, a run that ends by itself is not.
  signalExitCode: (signalNumber) => (isSandbox ? 0 : 128 + signalNumber),
  closeDeadlineMs: 45_000,
  exit: (code) => process.exit(code),
});

async function run(lifecycle: Lifecycle): Promise<number> {
  let recent = createRecentLines();
  try {
    const { windowMs, isVerbose, isKept } = readOptions();
    if (isVerbose) recent = createRecentLines(write);
    await new Promise<void>((resolve, reject) => {
      const watch = { onLine: recent.add, onLost: reject };
      const run = { lifecycle, windowMs, isVerbose, isKept, ...watch };
      tellStory(run)
        .then((stack) => (isKept ? keepUp(stack, lifecycle) : undefined))
        .then(resolve, reject);
    });
    return 0;
  } catch (error) {
    if (lifecycle.closing.aborted) return 1;
    const { service, message } = error instanceof DemoFailure ? error : new DemoFailure(oneLine(error));
    const lines = service ? recent.of(service) : [];
    if (lines.length > 0) complain(`\nThe last lines of ${service}:\n${lines.join('\n')}\n`);
    complain(`\nThe demo failed: ${message}\n`);
    return 1;
  }
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
}

/** Until a signal ends it, or a service by ending itself. */
async function keepUp(stack: DemoStack, { closing }: Lifecycle): Promise<void> {
  closing.throwIfAborted();
  isSandbox = true;
  write(sandboxGuide(stack));
  await once(closing, 'abort');
}

type Story = Omit<DemoStackOptions, 'limit'> & { readonly isVerbose: boolean };

/** @throws DemoFailure when anything ends otherwise than it must */
async function tellStory(story: Story): Promise<DemoStack> {
  const { lifecycle, windowMs } = story;
  const bulk = await readBulkFile(exampleFile);
  write(announcement(bulk, windowMs));
  const stack = await startDemoStack({ ...story, limit });
  lifecycle.closing.throwIfAborted();
  write(addresses(stack));

  const intake = createIntakeClient(stack.intakeUrl, stack.apiKey);
  const { id: batchId, counts, items: atTheDoor } = await intake.submit(bulk.text);
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

function readOptions() {
  const kinds = {
    DEMO_WINDOW: duration({ minMs: 500, maxMs: 60_000 }).prefault('10s'),
    DEMO_VERBOSE: flag().prefault('off'),
  };
  const settings = readSettings(z.object(kinds), process.env);
  const { values } = parseArgs({
    options: { keep: { type: 'boolean' }, verbose: { type: 'boolean', short: 'v' } },
  });
  return {
    windowMs: settings.DEMO_WINDOW,
    isVerbose: settings.DEMO_VERBOSE || values.verbose === true,
    isKept: values.keep === true,
  };
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
  So ${expectedCalls(expected)} calls have to be made, at most ${limit} in any ${window}; the others wait for their turn.
  Window shortened to ${limit} per ${window} for the demo; Defender's own is ${limit} per hour.

Starting embedded Valkey, simulator, intake API and worker …
`;
}

function addresses({ intakeUrl, workerUrl, simulatorUrl, redisUrl }: DemoStack): string {
  return `
  intake API         ${intakeUrl}
  worker             ${workerUrl} (health and metrics)
  Defender, Entra ID ${simulatorUrl} (simulated)
  embedded Valkey    ${redisUrl} (keeps nothing when it stops)

`;
}

function conclusion({ faults, mostInAnyWindow }: Verdict, calls: number, windowMs: number): string {
  if (faults.length > 0) throw new DemoFailure(faults.join('; '));
  return `Checked against the log of the simulated Defender:
  ${calls} calls arrived, never more than ${mostInAnyWindow} in any rolling ${windowMs / 1_000} s (allowed: ${limit})
  one investigation per machine, and callers were told its id
  every item ended as its line in the file demands
`;
}
