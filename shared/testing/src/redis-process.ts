import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { lackTool } from './require-tools.ts';

/** Where a private Redis lives, and whether it keeps its data on disk. */
export interface RedisServerOptions {
  /** Default: a new directory, removed by `stop()`. One given here is left in place. */
  readonly dir?: string;
  /** Writes every command to disk before it is answered. Default: nothing is kept. */
  readonly appendOnly?: boolean;
  /** Default: a free one. */
  readonly port?: number;
  /** Further arguments of redis-server, such as `['--replicaof', '127.0.0.1 7000']`. */
  readonly args?: readonly string[];
}

/** A real redis-server which belongs to one test. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** Of the present process; another one after `restart()`. */
  readonly pid: number;
  /** Sends a signal (default SIGKILL); resolves when the process has ended, or at once for SIGSTOP and SIGCONT. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts again with the same directory and port, ending the present process first if it still runs. */
  restart(): Promise<void>;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

/**
 * Starts the `redis-server` found on the PATH, on the loopback address, and waits until it takes commands.
 *
 * @throws Error with what it wrote, when it ends instead.
 */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'diq-redis-')));
  const settings = { ...options, dir };
  const removeDir = async (): Promise<void> => {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  let { child, port } = await launchOnFreePort(settings).catch(async (error: unknown) => {
    await removeDir();
    throw error;
  });

  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (hasEnded(child)) return;
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') {
      child.kill(signal);
      return;
    }
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return child.pid ?? 0;
    },
    kill,
    async restart() {
      await kill('SIGTERM');
      child = await launch(settings, port);
    },
    async stop() {
      // A stopped process would leave SIGTERM pending; nothing it holds is wanted any more.
      await kill('SIGKILL');
      await removeDir();
    },
  };
}

/**
 * For `before(requireRedisServer)`: skips, saying why in the titles, where there is no redis-server; throws instead
 * when REQUIRE_TOOLS=1, or REQUIRE_REDIS_SERVER=1 for this one alone.
 */
export const requireRedisServer = function (this: Mocha.Context): void {
  if (isRedisServerInstalled()) return;
  if (process.env['REQUIRE_REDIS_SERVER'] === '1') throw new Error('no redis-server on the PATH');
  lackTool(this, 'redis-server');
};

/** Whether a redis-server can be started here. */
function isRedisServerInstalled(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

type LaunchSettings = RedisServerOptions & { readonly dir: string };

async function launchOnFreePort(settings: LaunchSettings): Promise<{ child: ChildProcess; port: number }> {
  if (settings.port) return { child: await launch(settings, settings.port), port: settings.port };
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    try {
      return { child: await launch(settings, port), port };
    } catch (error) {
      // Another process was quicker to the port.
      if (attempt === 5 || !String(error).includes('Address already in use')) throw error;
    }
  }
}

function launch(settings: LaunchSettings, port: number): Promise<ChildProcess> {
  // Written after the data was loaded, so commands are taken from here on.
  return launchProcess(argumentsFor(settings, port), 'Ready to accept connections');
}

/** Starts a `redis-server` that ends with this process at the latest, and waits until it has written `readyLine`. */
export async function launchProcess(args: readonly string[], readyLine: string): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  // Outlives neither the run nor a failure in it; `stop()` is the regular way.
  const killNow = (): void => void child.kill('SIGKILL');
  process.once('exit', killNow);
  child.once('exit', () => process.off('exit', killNow));

  let output = '';
  const lines = createInterface({ input: child.stdout });
  const accepting = new Promise<'accepting'>((resolve) => {
    lines.on('line', (line) => {
      output += `${line}\n`;
      if (line.includes(readyLine)) resolve('accepting');
    });
  });
  const first = await Promise.race([accepting, once(child, 'close')]);
  if (first !== 'accepting') throw new Error(`redis-server did not start:\n${output}`);
  return child;
}

function argumentsFor(settings: LaunchSettings, port: number): string[] {
  const configuration = {
    '--port': String(port),
    '--bind': '127.0.0.1',
    '--dir': settings.dir,
    '--daemonize': 'no',
    '--save': '',
    '--appendonly': settings.appendOnly ? 'yes' : 'no',
    '--appendfsync': 'always',
    '--maxmemory-policy': 'noeviction',
    '--enable-debug-command': 'local',
  };
  return [...Object.entries(configuration).flat(), ...(settings.args ?? [])];
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
