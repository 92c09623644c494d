import { setFlagsFromString } from 'node:v8';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createLogger, type Logger } from '../logging/logger.ts';
import {
  unusedProxySettings,
  logLevel,
  SettingsError,
  trimEnv,
  type Env,
} from '../settings/read-settings.ts';

/** What a started service announces: at least the port it answers on. */
export type ServiceReady = Readonly<{ port: number; [detail: string]: string | number }>;

/** What a service gets to start with. */
export interface ServiceContext {
  readonly env: Env;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  /** Logs an error from which the service cannot recover, with these words, closes in order and ends with exit code 1. */
  readonly fail: (error: unknown, what: string) => void;
}

/** One service and the process it lives in. */
export interface RunServiceOptions {
  readonly name: string;
  readonly env: Env;
  /** Ends the process: `(code) => process.exit(code)`. */
  readonly exit: (code: number) => void;
  /** Opens everything and registers with `lifecycle` how each part closes. Resolves when the service answers. */
  readonly start: (context: ServiceContext) => Promise<ServiceReady>;
  /** How long closing may take in all. Default 10 s. */
  readonly stopDeadlineMs?: number;
  /**
   * A signal this soon after the first is the same wish arriving twice: a Ctrl-C reaches a process from the terminal
   * and once more through npm. Default 300 ms.
   */
  readonly repeatedSignalMs?: number;
}

/**
 * How much more than what is alive the heap may hold before V8 collects again. By itself V8 lets it grow to four times that, where the
 * machine has memory: a service with a thousand queues then holds half a gigabyte of garbage. Less is collected often,
 * and on a full machine each time is up to half a second in which no call is made.
 */
const heapGrowingPercent = 75;

/** Exit code for settings that cannot be used: EX_CONFIG of sysexits.h. */
export const settingsExitCode = 78;

/**
 * Runs a service until it is stopped. SIGTERM, SIGINT and the end of its parent (`watchParent`) close it in order
 * (exit code 0, or 1 if the deadline passed); a second signal ends it at once (128 + its number).
 * Unusable settings are printed plainly (78); any other failure, at start or later, is logged (1). When it is ready
 * it logs `ready` and sends a parent with an IPC channel `{ kind: 'ready', service, ...ready }`.
 *
 * LOG_LEVEL applies from the first line; an unknown level is left for the service's own settings to refuse.
 */
export async function runService(options: RunServiceOptions): Promise<void> {
  const { name, exit, start, stopDeadlineMs = 10_000 } = options;
  setFlagsFromString(`--heap-growing-percent=${heapGrowingPercent}`);
  const env = trimEnv(options.env);
  const level = logLevel().safeParse(env['LOG_LEVEL']);
  const logger = createLogger({ level: level.success ? level.data : 'info', service: name });
  const lifecycle = createLifecycle({ logger, deadlineMs: stopDeadlineMs });

  let exitCode = 0;
  const stop = async (reason: string, code: number): Promise<void> => {
    exitCode = Math.max(exitCode, code);
    const result = await lifecycle.close(reason);
    exit(result === 'clean' ? exitCode : Math.max(exitCode, 1));
  };
  const fail: ServiceContext['fail'] = (error, what) => {
    logger.fatal({ err: error }, what);
    void stop(what, 1);
  };
  listenForEnd(stop, fail, { ...options, env });

  const proxies = unusedProxySettings(env);
  if (proxies.length > 0)
    logger.warn(
      { settings: proxies },
      'these proxy settings are not read: intake and worker read HTTPS_PROXY and NO_PROXY',
    );

  try {
    const ready = await start({ env, logger, lifecycle, fail });
    // Stopped while it was still starting: never announced, already closing.
    if (lifecycle.closing.aborted) return;
    logger.info(ready, 'ready');
    process.send?.({ kind: 'ready', service: name, ...ready });
  } catch (error) {
    if (error instanceof SettingsError) {
      const lines = error.faults.map((fault) => `  ${fault}\n`).join('');
      process.stderr.write(`${name} cannot start, its settings are not usable:\n${lines}`);
      await stop('unusable settings', settingsExitCode);
    } else if (!lifecycle.closing.aborted) {
      logger.fatal({ err: error }, 'could not start');
      await stop('could not start', 1);
    }
  }
}

function listenForEnd(
  stop: (reason: string, code: number) => Promise<void>,
  fail: ServiceContext['fail'],
  { env, exit, repeatedSignalMs = 300 }: RunServiceOptions,
): void {
  let firstSignalAtMs: number | undefined;
  for (const [signal, number] of [['SIGTERM', 15] as const, ['SIGINT', 2] as const]) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (firstSignalAtMs === undefined) {
        firstSignalAtMs = nowMs;
        void stop(signal, 0);
      } else if (nowMs - firstSignalAtMs >= repeatedSignalMs) {
        exit(128 + number);
      }
    });
  }
  process.on('unhandledRejection', (error) => fail(error, 'unhandled rejection'));
  process.on('uncaughtException', (error) => fail(error, 'uncaught exception'));
  watchParent(env, () => void stop('parent is gone', 0));
}

/** Often enough that a restart by a supervisor finds the ports free, rare enough to cost nothing. */
const checkEveryMs = 250;

/**
 * Calls `onGone` once when the process that started this one has ended without passing a signal on:
 *
 * - A parent with an IPC channel, killed: the channel closes.
 * - npm, ended by SIGTERM: it ends the shell between it and this process, and the shell passes nothing on. Only under npm
 *   is a new parent taken for that; a process sent to the background outlives the shell that started it.
 */
export function watchParent(env: Env, onGone: () => void): void {
  if (process.connected) process.on('disconnect', onGone);
  if (env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, checkEveryMs);
  timer.unref();
}
