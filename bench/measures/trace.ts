import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { figuresOf, estimateFigures } from '../trace/figures.ts';
import { generateTrace } from '../trace/generate-trace.ts';
import { readTrace, writeTrace } from '../trace/csv.ts';
import { replay, type ReplayResult } from '../trace/replay.ts';
import { systems } from '../trace/replay-world.ts';
import type { Trace } from '../trace/trace-request.ts';
import type { TraceSettings } from '../trace/trace-settings.ts';
import { worthRows, type JudgedTrace } from '../trace/worth-rows.ts';
import { writeWorth } from '../trace/write-worth.ts';
import { zerosOf } from '../trace/zeros.ts';
import type { BenchContext, Measure } from '../support/context.ts';

/** As Defender has it. */
const slotsPerHour = 5;

/** Days of a SOC, replayed on the services and beside them on what one would write first. */
export const trace: Measure = {
  name: 'trace',
  table: 'trace',
  async run(context) {
    const { say, trace: settings } = context;
    const result = settings.from === undefined ? await runReplay(context) : await readResult(settings.from);
    const judged = judge(result);
    for (const { name, zeros } of judged) say(`${name}: ${JSON.stringify(zeros)}`);
    const { hourMs, latestMs, cpuSeconds, tookSeconds } = result;
    const cpu = Object.entries(cpuSeconds).map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`);
    say(
      `an hour took ${hourMs} ms, ${tookSeconds.toFixed(0)} s in all; sent ${latestMs.toFixed(0)} ms late at most; processor: ${cpu.join(', ')}`,
    );
    if (settings.writesDocs && isMonth(result)) await writeWorth(result, judged);
    else if (settings.writesDocs) say('docs/worth.md is of a month and stays as it is');
    const wrong = judged.filter(({ zeros }) => zeros.violations + zeros.doubles + zeros.losses > 0);
    if (wrong.length > 0)
      throw new Error(`not all zero: ${wrong.map(({ name, zeros }) => name + JSON.stringify(zeros)).join()}`);
    return judged.flatMap(worthRows);
  },
};

/** Fewer days are a matter of chance. */
function isMonth({ replayed }: ReplayResult): boolean {
  return replayed.every(({ trace }) => trace.hours >= 28 * 24);
}

async function runReplay({ say, trace: settings }: BenchContext): Promise<ReplayResult> {
  const traces = settings.file === undefined ? made(settings) : [await readTrace(settings.file)];
  if (settings.csv !== undefined) {
    await mkdir(settings.csv, { recursive: true });
    for (const one of traces)
      await writeTrace(join(settings.csv, `${one.name.replaceAll(' ', '-')}.csv`), one);
  }
  for (const { name, requests, hours } of traces) say(`${name}: ${requests.length} requests in ${hours} h`);
  const result = await replay({ traces, slotsPerHour, hourMs: settings.hourMs, say });
  if (settings.save !== undefined) await writeFile(settings.save, JSON.stringify(result));
  return result;
}

function made({ days, loads, seed }: TraceSettings): Trace[] {
  return loads.map((load) => generateTrace({ days, load, slotsPerHour, seed }));
}

/** What an earlier run kept. */
async function readResult(file: string): Promise<ReplayResult> {
  return JSON.parse(await readFile(file, 'utf8')) as ReplayResult;
}

function judge({ replayed, hourMs, slotsPerHour: limit }: ReplayResult): JudgedTrace[] {
  return replayed.map((one) => ({
    name: one.trace.name,
    figures: Object.fromEntries(
      systems.map((system) => [system, figuresOf(one, system)]),
    ) as JudgedTrace['figures'],
    estimates: estimateFigures(one, { hourMs, slotsPerHour: limit }),
    zeros: zerosOf(one, { limit, windowMs: hourMs }),
    saved: savedOf(one.ends),
  }));
}

/** Requests of the queue under test that ended without a call of their own. */
function savedOf(ends: ReplayResult['replayed'][number]['ends']): JudgedTrace['saved'] {
  const ended = ends.filter(({ status }) => status !== 'queued' && status !== 'dispatching');
  return {
    joined: ended.filter(({ joined }) => joined).length,
    unknown: ended.filter(({ errorCode, joined }) => !joined && errorCode === 'machine_unknown').length,
    running: ended.filter(({ status, attempts, joined }) => !joined && status === 'started' && attempts === 0)
      .length,
  };
}
