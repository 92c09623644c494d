import { createLifecycle, type Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { watchParent } from '@diq/runtime/processes/run-service.ts';
import type { Env } from '@diq/runtime/settings/read-settings.ts';

/** Something that starts other processes, runs for a while, and leaves none of them behind. */
export interface RunToEndOptions {
  readonly env: Env;
  readonly logger: Logger;
  /** Opens, registers with `lifecycle` how each part closes, and runs. Resolves with the exit code. */
  readonly run: (lifecycle: Lifecycle) => Promise<number>;
  /** Exit code when a signal came first. */
  readonly signalExitCode: (signalNumber: number) => number;
  /** How long closing may take in all. */
  readonly closeDeadlineMs: number;
  readonly exit: (code: number) => void;
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const signals = Object.keys(signalNumbers) as (keyof typeof signalNumbers)[];

/** A Ctrl-C comes from the terminal and once more through npm: this soon after the first it is the same one. */
const repeatedSignalMs = 500;

/**
 * Runs until it is done, fails, receives a signal to stop, or its parent is gone; closes everything in reverse
 * order; exits. A second signal exits at once; the services then end by themselves, their channel being closed.
 */
export async function runToEnd(options: RunToEndOptions): Promise<void> {
  const { logger, run, exit, closeDeadlineMs } = options;
  const lifecycle = createLifecycle({ logger, deadlineMs: closeDeadlineMs });
  const ending = firstEnding(options);
  const finished = run(lifecycle).then(
    (code): Ending => ({ reason: 'finished', code }),
    (error: unknown): Ending => {
      logger.fatal({ err: error }, 'failed');
      return { reason: 'failed', code: 1 };
    },
  );
  const { reason, code } = await Promise.race([ending, finished]);
  const result = await lifecycle.close(reason);
  exit(result === 'timed_out' && code === 0 ? 1 : code);
}

interface Ending {
  readonly reason: string;
  readonly code: number;
}

function firstEnding({ env, logger, signalExitCode, exit }: RunToEndOptions): Promise<Ending> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    for (const signal of signals) {
      const number = signalNumbers[signal];
      process.on(signal, () => {
        firstAtMs ??= performance.now();
        if (performance.now() - firstAtMs > repeatedSignalMs) exit(128 + number);
        resolve({ reason: signal, code: signalExitCode(number) });
      });
    }
    const fail = (error: unknown): void => {
      logger.fatal({ err: error }, 'failed');
      resolve({ reason: 'failed', code: 1 });
    };
    process.on('uncaughtException', fail);
    process.on('unhandledRejection', fail);
    const orphaned = { reason: 'parent is gone', code: signalExitCode(signalNumbers.SIGTERM) };
    watchParent(env, () => resolve(orphaned));
  });
}
