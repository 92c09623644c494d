import type { FaultRun } from './fault-run.ts';
import type { FaultWorld } from './fault-world.ts';
import { excusedLosses, rules } from './judge.ts';
import type { Evidence, Violation } from './judge.ts';

/** The figures of a whole run and its verdict, for reading. */
export function tableOf(
  evidence: Evidence,
  violations: readonly Violation[],
  run: FaultRun,
  { tallies, limit, windowMs }: Pick<FaultWorld, 'tallies' | 'limit' | 'windowMs'>,
): string {
  const { calls, acknowledged, recorded, faults, documents } = evidence;
  const rows: [string, string | number][] = [
    ['faults', faults.length],
    ...countBy(faults, ({ name }) => name).map(([name, times]): [string, number] => [`  ${name}`, times]),
    ...[...tallies].map(([what, times]): [string, number] => [`  ${what}`, times]),
    ['POSTs accepted, refused, lost', Object.values(run.posts()).join(', ')],
    ['requests accepted', acknowledged.length],
    ...countBy(documents.values(), ({ status }) => status).map(([status, n]): [string, number] => [
      `  ${status}`,
      n,
    ]),
    ['requests recorded', recorded.length],
    ['requests lost within the lag of a replica', excusedLosses(evidence).length],
    ['calls at Defender', calls.length],
    ...countBy(calls, ({ status }) => String(status)).map(([status, n]): [string, number] => [
      `  ${status}`,
      n,
    ]),
    [`windows of ${windowMs} ms judged, limit ${limit}`, calls.length],
    ...rules.map((rule): [string, number] => [
      `violations: ${rule}`,
      violations.filter((violation) => violation.rule === rule).length,
    ]),
  ];
  const verdict = violations.length === 0 ? 'All promises were kept.' : `${violations.length} violations.`;
  return [...rows.map(([what, value]) => `${what.padEnd(48)} ${value}`), verdict].join('\n');
}

/** How many items have each key, by key. */
export function countBy<T>(items: Iterable<T>, keyOf: (item: T) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
