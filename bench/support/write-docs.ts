import { readFile, writeFile } from 'node:fs/promises';
import type { Machine } from './machine.ts';
import { tableOf } from './result-table.ts';
import type { Row } from './row.ts';

const file = new URL('../../docs/performance.md', import.meta.url);
const [begin, end] = ['<!-- npm run bench -- --write-docs: begin -->', '<!-- end -->'];

/** Puts the run into docs/performance.md, between its two marks; what stands around them is written by hand. */
export async function writeDocs(rows: readonly Row[], machine: Machine, rounds: number): Promise<void> {
  const text = await readFile(file, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${file.pathname} has lost its marks`);
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
  await writeFile(file, `${before}${begin}\n\n${about}\n\n${tableOf(rows)}\n\n${end}${after}`);
}
