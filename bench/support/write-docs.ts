import { readFile, writeFile } from 'node:fs/promises';
import type { Machine } from './machine.ts';
import { tableOf } from './result-table.ts';
import type { Row } from './row.ts';

const file = new URL('../../docs/performance.md', import.meta.url);
const end = '<!-- end -->';
/** The command that wrote a table stands above it. */
const beginOf = (table: string) =>
  `<!-- npm run bench -- ${table === 'main' ? '' : `--only ${table} `}--write-docs: begin -->`;

/** Puts tables into docs/performance.md, each between its two marks; what stands around them is written by hand. */
export async function writeDocs(
  tables: ReadonlyMap<string, readonly Row[]>,
  machine: Machine,
  rounds: number,
): Promise<void> {
  let text = await readFile(file, 'utf8');
  for (const [table, rows] of tables) text = withTable(text, table, sectionOf(rows, machine, rounds));
  await writeFile(file, text);
}

function withTable(text: string, table: string, section: string): string {
  const begin = beginOf(table);
  const [before, rest] = text.split(begin);
  const [old, ...after] = rest?.split(end) ?? [];
  if (before === undefined || old === undefined || after.length === 0)
    throw new Error(`${file.pathname} has lost its marks of ${table}`);
  return `${before}${begin}\n\n${section}\n\n${end}${after.join(end)}`;
}

function sectionOf(rows: readonly Row[], machine: Machine, rounds: number): string {
  const { processor, cores, memoryGigabytes, system, loadBefore, date, versions } = machine;
  const marked = rows.filter(({ mark }) => mark !== '');
  const missed = marked.filter(({ isReached }) => !isReached).length;
  const about = [
    `Measured on ${date} UTC: ${processor}, ${cores} cores, ${memoryGigabytes} GB, ${system}; load before the run`,
    `${loadBefore.toFixed(1)}; ${rounds} rounds. ${Object.entries(versions)
      .map((pair) => pair.join(' '))
      .join(', ')}.`,
    missed === 0
      ? 'All marks were reached.'
      : `${missed} of ${marked.length} lines with a mark missed their mark.`,
  ].join('\n');
  return `${about}\n\n${tableOf(rows)}`;
}
