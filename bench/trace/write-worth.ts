import { readFile, writeFile } from 'node:fs/promises';
import { priorities } from '@diq/contracts/priority.ts';
import { describeMachine } from '../support/machine.ts';
import { markdownTable, tableOf } from '../support/result-table.ts';
import { leadTimes, limitsHours, type Within } from './figures.ts';
import type { ReplayResult } from './replay.ts';
import { systems } from './replay-world.ts';
import { systemNames, worthCharts } from './worth-charts.ts';
import { waitText, worthRows, type JudgedTrace } from './worth-rows.ts';

const file = new URL('../../docs/worth.md', import.meta.url);
const images = new URL('../../docs/images/', import.meta.url);
const [begin, end] = ['<!-- npm run bench -- --only trace --days 30 --write-docs: begin -->', '<!-- end -->'];

/** Puts tables and pictures into docs/worth.md; what stands around them is written by hand. */
export async function writeWorth(result: ReplayResult, judged: readonly JudgedTrace[]): Promise<void> {
  const text = await readFile(file, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.slice(rest.indexOf(end));
  if (before === undefined || rest?.includes(end) !== true || after === undefined)
    throw new Error(`${file.pathname} has lost its marks`);
  const charts = worthCharts(result, judged);
  for (const [name, svg] of charts) await writeFile(new URL(name, images), svg);
  await writeFile(file, `${before}${begin}\n\n${sectionOf(result, judged)}\n\n${after}`);
}

function sectionOf(result: ReplayResult, judged: readonly JudgedTrace[]): string {
  const { processor, cores, date, versions } = describeMachine();
  const hours = result.replayed[0]?.trace.hours ?? 0;
  const cpu = Object.entries(result.cpuSeconds).map(([name, seconds]) => `${name} ${seconds.toFixed(0)} s`);
  const rows = judged.flatMap(worthRows);
  const missed = rows.filter(({ isReached }) => !isReached).length;
  const about = [
    `${Math.round(hours / 24)} days, ${result.slotsPerHour} slots an hour, an hour in ${result.hourMs / 1_000} s, on ${date} UTC:`,
    `${processor}, ${cores} cores; node ${versions['node']}, redis ${versions['redis']}, bullmq ${versions['bullmq']}. Processor time: ${cpu.join(', ')} of`,
    `${result.tookSeconds.toFixed(0)} s. ${missed} of ${rows.length} lines missed their mark.`,
  ].join('\n');
  return [
    about,
    '### The marks',
    tableOf(rows),
    ...judged.map((one) => detailsOf(one, result)),
    '### How far the first estimate was off',
    estimatesOf(judged),
  ].join('\n\n');
}

const percent = (share: number | undefined) =>
  share === undefined || Number.isNaN(share) ? '–' : `${(100 * share).toFixed(0)} %`;

function detailsOf({ name, figures, saved }: JudgedTrace, result: ReplayResult): string {
  const trace = result.replayed.find((one) => one.trace.name === name)?.trace;
  const columns = systems.map((system) => figures[system]);
  const row = (what: string, cell: (figures: (typeof columns)[number]) => string) => [
    what,
    ...columns.map(cell),
  ];
  const within = (what: string, of: (figures: (typeof columns)[number]) => Within | undefined) =>
    limitsHours.map((hours) =>
      row(`${what} within ${hours < 1 ? `${hours * 60} min` : `${hours} h`}`, (one) =>
        percent(of(one)?.within[hours]),
      ),
    );
  const sources = Object.keys(columns[0]?.bySource ?? {});
  const lines = [
    ...within('true positives begun', (one) => one.truePositives),
    ...within('first machine of each such incident', (one) => one.firstMachines),
    ...priorities.map((priority) =>
      row(`${priority}: median, 95th percentile`, ({ byPriority }) => pair(byPriority[priority])),
    ),
    ...sources.map((source) =>
      row(`source ${source}: median, 95th percentile`, ({ bySource }) => pair(bySource[source])),
    ),
    row('longest wait', ({ longest }) => waitText(longest)),
    row('not begun at the end', ({ neverStarted, requests }) => `${neverStarted} of ${requests}`),
    row('slots that began an investigation', ({ slots }) => String(slots.used)),
    row('slots spent on unknown machines', ({ slots }) => String(slots.unknown_machine)),
    row('slots spent where one ran already', ({ slots }) => String(slots.already_running)),
    row('slots used of those possible', ({ slots }) => percent(usedShare(slots, trace?.hours ?? 0, result))),
    row('calls answered 429', ({ throttled }) => String(throttled)),
    row("equal to sources (Jain's index)", ({ fairness }) => fairness.toFixed(2)),
  ];
  const picture = `worth-waits-${name.replaceAll(/[^\w.]+/g, '-')}.svg`;
  return [
    `### ${name}: ${trace?.requests.length.toLocaleString('en')} requests`,
    `![How many machines of real attacks had begun, by the time since they arrived](images/${picture})`,
    markdownTable(['', ...systems.map((system) => systemNames[system])], lines),
    `Requests that this queue ended without a call of their own: ${saved.joined} shared another's, of ${saved.unknown} the machine was` +
      `\nunknown, for ${saved.running} an investigation ran or had just begun.`,
  ].join('\n\n');
}

/** A full burst at the beginning, and as much again with each hour. */
function usedShare(
  slots: Readonly<Record<string, number>>,
  hours: number,
  { slotsPerHour }: ReplayResult,
): number {
  const used = Object.values(slots).reduce((sum, count) => sum + count, 0);
  return used / (slotsPerHour * (hours + 1));
}

function pair(
  group: { median: Parameters<typeof waitText>[0]; p95: Parameters<typeof waitText>[0] } | undefined,
) {
  return group === undefined ? '–' : `${waitText(group.median)}, ${waitText(group.p95)}`;
}

function estimatesOf(judged: readonly JudgedTrace[]): string {
  const leads = leadTimes.map((most, i) => {
    const from = leadTimes[i - 1];
    if (most === Number.POSITIVE_INFINITY) return `over ${from} h`;
    return from === undefined ? `up to ${most} h` : `${from} to ${most} h`;
  });
  const cell = ({ count, median, p95 }: { count: number; median: number; p95: number }) =>
    count === 0 ? '–' : `${percent(median)}, ${percent(p95)} (${count})`;
  return markdownTable(
    ['median, 95th percentile of the wait (estimates)', 'all', ...leads],
    judged.map(({ name, estimates }) => [name, cell(estimates.all), ...estimates.byLead.map(cell)]),
  );
}
