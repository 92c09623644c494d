import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Env } from '../settings/read-settings.ts';

/** How a process ended. */
export interface ServiceExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a service announced: where it answers, and further details. */
export type ServiceAnnouncement = Readonly<{
  port: number;
  service: string;
  [detail: string]: string | number;
}>;

/** Which service to start, and with what. */
export interface SpawnServiceOptions {
  /** The service's main file, as a rule a `.ts`. */
  readonly entry: URL | string;
  /**
   * All of its environment, but for MALLOC_ARENA_MAX, see there, and for PATH and NODE_COMPILE_CACHE, which are this process's own if
   * missing; nothing else is.
   */
  readonly env: Env;
  /** For messages. */
  readonly name: string;
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Default 60 s; `Infinity` for a service that may wait for others before it is ready. */
  readonly readyTimeoutMs?: number;
  /** Aborted, it is ended by SIGTERM although it is not ready yet. */
  readonly signal?: AbortSignal;
  /** Further options for Node itself. */
  readonly nodeArgs?: readonly string[];
}

/**
 * glibc keeps freed memory for each thread apart, in up to eight parts for each processor, and returns little of it: of a worker with
 * a thousand queues that is 25 MB. deploy/Dockerfile sets it as well.
 */
const MALLOC_ARENA_MAX = '2';

export type ServiceProcess = Awaited<ReturnType<typeof spawnService>>;

/**
 * Starts a service and waits until it announces itself over IPC (`run-service.ts` does). It lives in a process group
 * of its own, so that a Ctrl-C in the terminal reaches only this process, which then ends it in order; should this
 * process die without doing so, the closing channel ends it.
 *
 * @throws Error with the service's output when it ends before it is ready, or takes too long (it is then killed).
 */
export async function spawnService(options: SpawnServiceOptions) {
  const entry = options.entry instanceof URL ? fileURLToPath(options.entry) : options.entry;
  // A service that is one file of JavaScript starts threads from its source all the same.
  const args = ['--import', loader, ...(options.nodeArgs ?? []), entry];
  const child = spawn(process.execPath, args, {
    env: { PATH: dirname(process.execPath), MALLOC_ARENA_MAX, ...compiledCode(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  const output = collectOutput(child, options.onLine);
  const exited = once(child, 'close').then(([code, signal]): ServiceExit => ({ code, signal }));
  const ready = await waitForReady(child, exited, options, output);
  return {
    child,
    ready,
    /** Resolves when it has ended and all of its output has been read. */
    exited,
    /** The latest of what it wrote, at most about a million characters. */
    output,
    /** Sends a signal and returns at once. */
    kill: (signal: NodeJS.Signals = 'SIGKILL') => void child.kill(signal),
    /** Asks it to end and waits; after `timeoutMs` (default 15 s) it is killed. */
    async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 15_000): Promise<ServiceExit> {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
}

/** A third of the time in which a service starts is compiling, unless Node was given a folder for it. */
function compiledCode(): Env {
  // oxlint-disable-next-line node/no-process-env -- of Node itself, and no setting of a service
  const { NODE_COMPILE_CACHE: folder } = process.env;
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}

/** Does nothing where Node runs TypeScript by itself. */
const loader = new URL('../../typescript.mjs', import.meta.url).href;

async function waitForReady(
  child: ChildProcess,
  exited: Promise<ServiceExit>,
  options: SpawnServiceOptions,
  output: () => string,
): Promise<ServiceAnnouncement> {
  const { name, readyTimeoutMs = 60_000, signal } = options;
  let timer: NodeJS.Timeout | undefined;
  const announced = new Promise<ServiceAnnouncement>((resolve) => {
    child.on('message', (message) => {
      if (isReadyMessage(message)) resolve(message);
    });
  });
  const timeout = new Promise<'timeout'>((resolve) => {
    // A timer of Infinity would fire at once.
    if (Number.isFinite(readyTimeoutMs)) timer = setTimeout(resolve, readyTimeoutMs, 'timeout');
  });
  const endNow = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', endNow);
  if (signal?.aborted) endNow();
  try {
    const first = await Promise.race([announced, exited, timeout]);
    if (first === 'timeout') {
      child.kill('SIGKILL');
      await exited;
      throw new Error(`${name} was not ready within ${readyTimeoutMs} ms. It wrote:\n${output()}`);
    }
    if ('port' in first) return first;
    throw new Error(
      `${name} ended (${first.code ?? first.signal}) before it was ready. It wrote:\n${output()}`,
    );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', endNow);
  }
}

function isReadyMessage(message: unknown): message is ServiceAnnouncement {
  if (typeof message !== 'object' || message === null) return false;
  return Reflect.get(message, 'kind') === 'ready' && typeof Reflect.get(message, 'port') === 'number';
}

const keptCharacters = 1_000_000;

function collectOutput(child: ChildProcess, onLine: SpawnServiceOptions['onLine']): () => string {
  let text = '';
  for (const stream of ['stdout', 'stderr'] as const) {
    const input = child[stream];
    if (!input) continue;
    createInterface({ input, crlfDelay: Infinity }).on('line', (line) => {
      text += `${line}\n`;
      // Cut only once it is twice too long: cutting at every line would copy the whole each time.
      if (text.length > 2 * keptCharacters) text = text.slice(-keptCharacters);
      onLine?.(line, stream);
    });
  }
  return () => text.slice(-keptCharacters).toWellFormed();
}
