// npm test: the groups of tests (`tests:*` in package.json), three at a time and the longest first: more of them would keep
// two cores no busier, and make each wait longer for its turn. What they write is shown as it comes, so that
// of a run that is stopped all is seen too; the last lines name every test that failed.
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { concurrently } from 'concurrently';
import type { Command } from 'concurrently';
import { bundleServices } from './bundle-services.ts';

// The tests start hundreds of processes of the same code. It lies among the installed packages: who can write there can change what
// runs anyway.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('../../node_modules/.cache/compiled/', import.meta.url),
);
// A run within a run (test/run/main.test.ts) writes none.
process.env['BUNDLED_SERVICES'] ??= (await bundleServices()).href;
const { result, commands } = concurrently(['npm:tests:*'], {
  prefix: 'name',
  group: false,
  maxProcesses: 3,
});
const groups = commands.map((command) => ({ name: command.name, verdicts: verdictsIn(command) }));
// Rejected with the same when a group failed.
const ends = await result.catch((failed: Awaited<typeof result>) => failed);

console.log('');
for (const { name, verdicts } of groups) {
  const exitCode = ends.find(({ command }) => command.name === name)?.exitCode ?? 'not started';
  if (exitCode !== 0) process.exitCode = 1;
  console.log(`${name}: ${exitCode === 0 ? 'passed' : `did not pass (${exitCode})`}`);
  for (const verdict of verdicts) console.log(`  ${verdict}`);
}

/** The lines by which `reporter.mjs` reports a test that failed or was stopped, as they come. */
function verdictsIn({ stdout }: Command): readonly string[] {
  const verdicts: string[] = [];
  const input = new PassThrough();
  stdout.subscribe((chunk) => input.write(chunk));
  createInterface({ input }).on('line', (line) => {
    if (/^(FAILED|STOPPED) /.test(line)) verdicts.push(line);
  });
  return verdicts;
}
