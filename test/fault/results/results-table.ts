import { countBy } from '../result-table.ts';
import { mostWithin, resultRules } from './judge-results.ts';
import type { ResultsRun } from './results-run.ts';

/** The figures of a whole run and its verdict, for reading. */
export function resultsTableOf({
  evidence,
  violations,
  order,
  load,
  happened,
  faults,
  calls,
}: ResultsRun): string {
  const { asked, shown, reads, delivered, samples } = evidence;
  const results = [...shown.values()].flatMap(({ result }) => result ?? []);
  const times = reads.map(({ atMs }) => atMs);
  const counted = (rows: [string, number][]) => rows.map(([name, n]): [string, number] => [`  ${name}`, n]);
  const rows: [string, string | number][] = [
    ['faults', faults.length],
    ...counted(countBy(faults, (name) => name)),
    ...counted([...happened]),
    ['POSTs accepted, refused, lost', Object.values(load.posts).join(', ')],
    ['cancellations asked, done', Object.values(load.cancellations).join(', ')],
    ['requests accepted', asked.length],
    ...counted(countBy(shown.values(), ({ status }) => status)),
    ['calls at Defender', calls],
    ['results of requests', results.length],
    ...counted(countBy(results, ({ outcome }) => outcome ?? 'none')),
    ['different results followed', new Set(results.map(({ id }) => id)).size],
    ['results looked at while they ran', samples.length],
    ['reads, most in a minute', `${reads.length}, ${mostWithin(times, 60_000)}`],
    ['pairs of contrary actions on a machine', order.pairs],
    ['  behind one whose outcome was not found out', order.behindUnknown],
    ...(delivered
      ? ([
          ['callbacks delivered', delivered.length],
          ['  different ones', new Set(delivered.map(({ deliveryId }) => deliveryId)).size],
        ] as const)
      : []
    ).map(([what, n]): [string, number] => [what, n]),
    ...[...resultRules, 'overtaken', 'order'].map((rule): [string, number] => [
      `violations: ${rule}`,
      violations.filter((violation) => violation.rule === rule).length,
    ]),
  ];
  const verdict = violations.length === 0 ? 'All promises were kept.' : `${violations.length} violations.`;
  return [...rows.map(([what, value]) => `${what.padEnd(48)} ${value}`), verdict].join('\n');
}
