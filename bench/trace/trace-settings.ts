import type { parseArgs, ParseArgsConfig } from 'node:util';

/** What is replayed, and how. */
export interface TraceSettings {
  /** A trace of one's own in place of those that are made. */
  file: string | undefined;
  days: number;
  /** Requests of each slot; one trace for each. */
  loads: readonly number[];
  seed: number;
  /** An hour of the trace takes so long. */
  hourMs: number;
  /** Where the traces that are made are written, as CSV. */
  csv: string | undefined;
  /** Where all that happened is kept, and from where it is judged again without a replay. */
  save: string | undefined;
  from: string | undefined;
  writesDocs: boolean;
}

export const traceOptions = {
  file: { type: 'string' },
  days: { type: 'string', default: '3' },
  loads: { type: 'string' },
  seed: { type: 'string', default: '1' },
  'hour-ms': { type: 'string' },
  csv: { type: 'string' },
  save: { type: 'string' },
  from: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

export const traceUsage = `
Of \`trace\` alone, which replays what arrives at a SOC (bench/trace/README.md):
--days 30            how many days are made (3)
--loads 0.6,1.25,3   requests of each slot, one trace for each; a quick run has 1.25 alone
--seed 1             the same seed makes the same traces
--file mine.csv      a trace of your own instead
--hour-ms 2000       an hour takes so long: 3 days 2.4 minutes, 30 days 24; a quick run's takes 1000
--csv folder         write the traces that are made
--save all.json      keep what happened; --from all.json judges it again and replays nothing
`;

const usualLoads = '0.6,1.25,3';
/** A run that takes longer is ended (`main.ts`). */
const longestMs = 40 * 60_000;

type Given = ReturnType<typeof parseArgs<{ options: typeof traceOptions }>>['values'] & {
  quick?: boolean;
  'write-docs'?: boolean;
};

/** @returns what is wrong with them, each with its name */
export function readTraceSettings(given: Given): TraceSettings | string[] {
  const loads = (given.loads ?? (given.quick ? '1.25' : usualLoads)).split(',').map(Number);
  const [days, seed, hourMs] = [
    given.days,
    given.seed,
    given['hour-ms'] ?? (given.quick ? '1000' : '2000'),
  ].map(Number) as [number, number, number];
  const faults: string[] = [];
  if (!Number.isInteger(days) || days < 1 || days > 60)
    faults.push('--days: not a whole number from 1 to 60');
  if (!Number.isInteger(seed) || seed < 0) faults.push('--seed: not a whole number');
  if (!Number.isInteger(hourMs) || hourMs < 500 || hourMs > 3_600_000)
    faults.push('--hour-ms: not a whole number from 500 to 3600000');
  if (loads.length > 5 || !loads.every((load) => load >= 0.05 && load <= 10))
    faults.push('--loads: not numbers from 0.05 to 10, five at most, separated by commas');
  if (faults.length === 0 && days * 24 * hourMs > longestMs)
    faults.push('--days, --hour-ms: together longer than 40 minutes');
  if (faults.length > 0) return faults;
  const { file, csv, save, from } = given;
  return { file, days, loads, seed, hourMs, csv, save, from, writesDocs: given['write-docs'] ?? false };
}
