import { createLogger } from '@diq/runtime/logging/logger.ts';
import { logLevel } from '@diq/runtime/settings/read-settings.ts';
import { settingsExitCode } from '@diq/runtime/processes/run-service.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { runToEnd } from './run-to-end.ts';
import { ServiceStartError } from './start-service.ts';
import { startTogether, stopAllTimeoutMs } from './start-together.ts';

const level = logLevel().safeParse(process.env['LOG_LEVEL']);
const logger = createLogger({ level: level.success ? level.data : 'info', service: 'launcher' });

await runToEnd({
  env: process.env,
  logger,
  run,
  // A signal to stop is how this is meant to end.
  signalExitCode: () => 0,
  closeDeadlineMs: stopAllTimeoutMs + 1_000,
  exit: (code) => process.exit(code),
});

async function run(lifecycle: Lifecycle): Promise<number> {
  let onLost!: (reason: string) => void;
  const lost = new Promise<string>((resolve) => (onLost = resolve));
  try {
    const starting = startTogether({
      env: process.env,
      lifecycle,
      onLine: (line, stream) => process[stream].write(`${line}\n`),
      onLost,
      warn: (text) => process.stderr.write(`${text}\n`),
    });
    const { intake, worker } = await Promise.race([starting, lost.then(failToStart)]);
    // Stopped meanwhile: already closing.
    if (lifecycle.closing.aborted) return 0;
    const ports = { port: intake.ready.port, workerPort: worker.ready.port };
    logger.info(ports, 'ready');
    process.send?.({ kind: 'ready', service: 'launcher', ...ports });
    process.stderr.write(`${await lost}; stopping everything.\n`);
    return 1;
  } catch (error) {
    return tellFailedStart(error, lifecycle);
  }
}

/** One was ready and has ended while the other still waits to be. */
function failToStart(reason: string): never {
  throw new Error(reason);
}

function tellFailedStart(error: unknown, { closing }: Lifecycle): number {
  // Stopped while still starting.
  if (closing.aborted) return 0;
  const causes: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const refusals = causes.filter((cause) => cause instanceof ServiceStartError && cause.refusedSettings);
  for (const cause of causes) {
    if (!refusals.includes(cause))
      process.stderr.write(`${String(cause instanceof Error ? cause.message : cause)}\n`);
  }
  process.stderr.write('Not started.\n');
  return refusals.length > 0 ? settingsExitCode : 1;
}
