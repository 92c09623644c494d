import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { waitFor } from '@diq/testing/wait-for.ts';

/** A run of one of the launcher's commands, as a child process. */
export interface ChildRun {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the exit code, or the signal that ended it, once all output has been read. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  kill(signal: NodeJS.Signals): void;
  /** Waits until the output, standard and error together, matches. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

const running = new Set<ChildRun>();

/** Runs `services/launcher/src/{command}.ts` as npm would, with this environment and nothing else. */
export function runCommand(
  command: 'start' | 'demo',
  env: NodeJS.ProcessEnv,
  args: readonly string[] = [],
): ChildRun {
  const entry = fileURLToPath(new URL(`../../services/launcher/src/${command}.ts`, import.meta.url));
  return watchRun(process.execPath, [...process.execArgv, entry, ...args], env);
}

/** Runs a script of the root's package.json through npm itself; `pid` and signals are npm's. */
export function runScript(script: string, env: NodeJS.ProcessEnv): ChildRun {
  return watchRun('npm', ['run', script], env);
}

function watchRun(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildRun {
  const child = spawn(program, args, {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => (text[name] += chunk));
  }
  const run: ChildRun = {
    pid: child.pid ?? 0,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    exited: once(child, 'close').then(
      ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? null,
    ),
    kill: (signal) => void child.kill(signal),
    said: (pattern) =>
      waitFor(() => pattern.exec(text.stdout + text.stderr), { what: String(pattern), timeoutMs: 45_000 }),
  };
  running.add(run);
  void run.exited.then(() => running.delete(run));
  return run;
}

/** Kills what still runs, for `after` hooks; the services that it started end with it. */
export function killRuns(): void {
  for (const run of running) run.kill('SIGKILL');
}

/** Where processes can be looked at: Linux. Elsewhere the tests have the ports alone to go by. */
export const hasProc = existsSync('/proc/self/environ');

/** Pids of the services that `pid` has started and that still run. */
export async function childrenOf(pid: number): Promise<number[]> {
  if (!hasProc) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const looks = await Promise.all(
    pids.map(async (pid) => ({ pid, parent: await parentOf(pid), command: await commandOf(pid) })),
  );
  // The loader that translates TypeScript has a process of its own beside the services.
  return looks
    .filter((snapshot) => snapshot.parent === pid && snapshot.command.includes('main.ts'))
    .map(({ pid }) => pid);
}

/** The one of these processes whose command line holds this text. */
export async function findByCommand(pids: readonly number[], text: string): Promise<number> {
  for (const pid of pids) {
    if ((await commandOf(pid)).includes(text)) return pid;
  }
  throw new Error(`no process of ${text}`);
}

/** True while there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The ports named in a text, as in `http://127.0.0.1:8080`. */
export function portsIn(text: string): number[] {
  return [...text.matchAll(/:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
}

/** True when no process accepts connections on this port of the loopback address. */
export async function refusesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

async function commandOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
}

async function parentOf(pid: number): Promise<number | undefined> {
  // Fields: pid (command) state parent …; the command may hold anything, brackets too.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
}
