import { once } from 'node:events';
import { homedir } from 'node:os';
import { runCommandLine } from './command-line.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second one does not wait.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
}
// Its reader has had enough, such as `head`.
process.stdout.on('error', () => process.exit(0));

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
