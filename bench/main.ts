import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { stopAll } from '@diq/testing/service-process.ts';
import { allMeasures } from './measures/all-measures.ts';
import { describeMachine } from './support/machine.ts';
import { openContext } from './support/open-context.ts';
import { tableOf } from './support/result-table.ts';
import type { Row } from './support/row.ts';
import { readTraceSettings, traceOptions, traceUsage } from './trace/trace-settings.ts';
import { writeDocs } from './support/write-docs.ts';

const usage = `npm run bench -- [--quick] [--only name,name] [--rounds 5] [--json file] [--write-docs]

Measures the product against the thinnest programs that could do the same, side by side, on the same Redis.
--quick   small sizes, one round: shows that it runs, says nothing about speed
${traceUsage}
Names: ${allMeasures.map(({ name }) => name).join(', ')}`;

/** A run that hangs is ended by force after this long. */
const longestMs = 45 * 60_000;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
    ...traceOptions,
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const only = options.only?.split(',');
const unknown = only?.filter((name) => !allMeasures.some((measure) => measure.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}\n\n${usage}`);
  process.exit(2);
}
const trace = readTraceSettings(options);
if (Array.isArray(trace)) {
  console.error(`${trace.join('\n')}\n\n${usage}`);
  process.exit(2);
}
const rounds = options.quick ? 1 : Number(options.rounds ?? '5');
const startedAtMs = performance.now();
const say = (text: string) =>
  console.log(`${((performance.now() - startedAtMs) / 1_000).toFixed(1).padStart(7)} s  ${text}`);
setTimeout(() => {
  console.error('the run does not end by itself');
  process.exit(2);
}, longestMs).unref();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const machine = describeMachine();
const tables = new Map<string, Row[]>();
const failed: string[] = [];
const context = await openContext({ isQuick: options.quick, rounds, say, trace });
for (const { name, table = 'main', run } of allMeasures.filter(({ name }) => only?.includes(name) ?? true)) {
  say(name);
  try {
    tables.set(table, [...(tables.get(table) ?? []), ...(await run(context))]);
  } catch (error) {
    failed.push(name);
    console.error(`${name} failed:`, error);
  }
}
await context.close();
await stopAll();

for (const rows of tables.values()) console.log(`\n${tableOf(rows)}\n`);
if (options.json !== undefined) {
  const isQuick = options.quick;
  const rows = [...tables.values()].flat();
  await writeFile(options.json, `${JSON.stringify({ machine, isQuick, rounds, rows, failed }, null, 2)}\n`);
}
// Written by itself, with its pictures.
tables.delete('trace');
if (options['write-docs']) await writeDocs(tables, machine, rounds);
if (options.quick) say('quick: it runs; the figures say nothing');
process.exit(failed.length > 0 ? 1 : 0);
