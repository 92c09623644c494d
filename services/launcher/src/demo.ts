import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { duration, flag, readSettings } from '@diq/runtime/settings/read-settings.ts';
import { DemoFailure } from './demo/demo-failure.ts';
import type { DemoStack } from './demo/demo-stack.ts';
import { createRecentLines } from './demo/recent-lines.ts';
import { tellTenants } from './demo/tenants-story.ts';
import { tellRetirement } from './demo/retired-story.ts';
import { sandboxGuide } from './demo/sandbox.ts';
import { tellWholePath } from './demo/whole-path-story.ts';
import { runToEnd } from './run-to-end.ts';

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
    const { windowMs, isVerbose, isKept, tell } = readOptions();
    if (isVerbose) recent = createRecentLines(write);
    await new Promise<void>((resolve, reject) => {
      const watch = { onLine: recent.add, onLost: reject };
      const story = { lifecycle, windowMs, isVerbose, isKept, write, ...watch };
      tell(story)
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

function readOptions() {
  const kinds = {
    DEMO_WINDOW: duration({ minMs: 500, maxMs: 60_000 }).prefault('10s'),
    DEMO_VERBOSE: flag().prefault('off'),
  };
  const settings = readSettings(z.object(kinds), process.env);
  const { values } = parseArgs({
    options: {
      keep: { type: 'boolean' },
      retired: { type: 'boolean' },
      tenants: { type: 'boolean' },
      verbose: { type: 'boolean', short: 'v' },
    },
  });
  return {
    windowMs: settings.DEMO_WINDOW,
    isVerbose: settings.DEMO_VERBOSE || values.verbose === true,
    isKept: values.keep === true,
    tell: values.tenants ? tellTenants : values.retired ? tellRetirement : tellWholePath,
  };
}
