import { once } from 'node:events';
import { homedir } from 'node:os';
import { runCommandLine } from './command-line.ts';
import { exitCodes } from './exit-codes.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second one does not wait.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Its reader has had enough, such as `head`.
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`diq: The answer cannot be written: ${error.code ?? error.message}\n`);
  process.exit(exitCodes.notWritten.code);
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  homeFolder: homedir(),
  stdin: process.stdin,
  write: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
  terminal: process.stderr.isTTY ? process.stderr : undefined,
  signal: stop.signal,
});
// A pipe takes what is written later.
if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
