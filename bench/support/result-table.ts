import type { Row, Series } from './row.ts';
import { median } from './statistics.ts';

/** The rows as a Markdown table. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.what,
    textOf(row.measured),
    row.baseline ? textOf(row.baseline) : '–',
    row.ratio === undefined ? '–' : row.ratio.toFixed(2),
    row.mark === '' ? '–' : row.mark,
    row.mark === '' ? '' : row.isReached ? 'reached' : '**not reached**',
    row.note ?? '',
  ]);
  return markdownTable(['what', 'measured', 'baseline', 'ratio', 'mark', '', ''], lines);
}

/** As prettier would set it. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(3, title.length, ...lines.map((line) => line[i]?.length ?? 0)),
  );
  const lineOf = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [lineOf(head), rule, ...lines.map(lineOf)].join('\n');
}

/** The median, and from where to where the rounds went. */
function textOf({ what, unit, rounds }: Series): string {
  const middle = `${numberText(median(rounds))}${unit === '' ? '' : ` ${unit}`}`;
  if (rounds.length < 2) return `${what}: ${middle}`;
  return `${what}: ${middle} (${numberText(Math.min(...rounds))} – ${numberText(Math.max(...rounds))})`;
}

function numberText(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
