import Table from 'cli-table3';
import type { ExpectedOutcome } from './expect-outcomes.ts';
import type { AnsweredItem, SettledItem } from './intake-client.ts';

export interface OutcomeTableOptions {
  /** The machine of each item as the file writes it. */
  readonly machines: readonly string[];
  readonly expected: readonly ExpectedOutcome[];
  readonly atTheDoor: readonly AnsweredItem[];
  readonly inTheEnd: readonly SettledItem[];
  /** Width of the terminal. */
  readonly columns: number;
}

/** Number and machine with its 40 digits, status, and the gaps between them. */
const fixedColumns = 4 + 42 + 10;
const leastReasonColumns = 24;

/** What became of every item, in the order of the file. */
export function outcomeTable(options: OutcomeTableOptions): string {
  const reasonColumns = Math.max(leastReasonColumns, Math.min(80, options.columns - fixedColumns));
  const table = new Table({
    head: ['#', 'machine', 'status', 'investigation id, or reason'],
    colWidths: [4, 42, 10, reasonColumns],
    wordWrap: true,
    // Rules and colours would only be noise in a log file.
    chars: emptyChars,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
  });
  options.machines.forEach((machine, index) => table.push(rowOf(options, machine, index)));
  return table
    .toString()
    .split('\n')
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}

function rowOf({ atTheDoor, inTheEnd, expected }: OutcomeTableOptions, machine: string, index: number) {
  const door = atTheDoor.find((item) => item.index === index);
  const end = inTheEnd.find((item) => item.index === index);
  const outcome = expected[index];
  const error = end?.error ?? door?.error;
  const answer = end?.investigationId ?? (error ? `${error.code}: ${error.message}` : '–');
  const companion = outcome?.kind !== 'rejected' ? outcome?.with : undefined;
  const sharing =
    door?.status === 'coalesced' && companion !== undefined ? ` (coalesced with #${companion + 1})` : '';
  return [index + 1, machine, end?.status ?? door?.status ?? '–', `${answer}${sharing}`];
}

const emptyChars = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
