import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from '@diq/testing/wait-for.ts';

export interface ServerProcess {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a program that serves HTTP at this port of the loopback address, and waits until it says that it is ready. */
export async function startServer(
  command: string,
  args: readonly string[],
  { port, readyPath }: { port: number; readyPath: string },
): Promise<ServerProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const killNow = (): void => void child.kill('SIGKILL');
  process.once('exit', killNow);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const exited = once(child, 'exit').finally(() => process.off('exit', killNow));
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await exited;
  };
  try {
    await waitFor(async () => child.exitCode !== null || (await fetch(`${url}${readyPath}`)).ok, {
      what: `${command} to be ready`,
      timeoutMs: 15_000,
      intervalMs: 50,
    });
    if (child.exitCode !== null) throw new Error(`${command} ended`);
  } catch (error) {
    await stop();
    throw new Error(`${command} did not start:\n${said.slice(-2_000)}`, { cause: error });
  }
  return { url, stop };
}
