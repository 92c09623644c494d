import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import { dataSource } from './panels.ts';
import { chosen } from './queue-filter.ts';

/** However many queues there are. */
const mostRows = 50;
const longestWaits = `topk(${mostRows}, ${chosen('diq:oldest_wait:seconds')})`;
const ofRows = (expr: string) => `${expr} and on (tenant, operation) ${longestWaits}`;

interface Column {
  readonly name: string;
  readonly expr: string;
  readonly unit?: string;
}

const columns: readonly Column[] = [
  { name: 'Oldest wait', expr: longestWaits, unit: 's' },
  { name: 'Waiting', expr: ofRows(chosen('diq:requests_open:count', 'status="queued"')) },
  { name: 'In use', expr: ofRows(chosen('diq:quota_used:count')) },
  { name: 'Limit', expr: ofRows(chosen('diq:quota_limit:count')) },
  { name: 'Next slot in', expr: ofRows(chosen('diq:quota_next_slot:seconds')), unit: 's' },
];

/** Of several holds one is named. A queue without a hold has a row as well. */
const hold = [
  `topk by (tenant, operation) (1, ${ofRows(`${chosen('diq:hold_active:bool')} == 1`)}`,
  `or on (tenant, operation) label_replace(0 * ${longestWaits}, "reason", "–", "", ""))`,
].join(' ');

/** The queues, those that wait longest first. */
export function queueTable() {
  const table = new TablePanel()
    .title('Queues')
    .description(
      `The ${mostRows} that have waited longest, with what is in the way. Of several holds one is named.`,
    )
    .datasource(dataSource);
  const queries = [...columns.map(({ expr }) => expr), hold];
  for (const [i, expr] of queries.entries()) {
    table.withTarget(
      new DataqueryBuilder()
        .refId(refIdOf(i))
        .expr(expr)
        .instant()
        .format(PromQueryFormat.Table)
        .datasource(dataSource),
    );
  }
  table.withTransformation({ id: 'merge', options: {} }).withTransformation(arrange());
  for (const { name, unit } of columns) {
    if (unit !== undefined) table.overrideByName(name, [{ id: 'unit', value: unit }]);
  }
  return table;
}

const refIdOf = (i: number) => String.fromCodePoint('A'.charCodeAt(0) + i);

/** Names and order of what the queries answer; times, metric names and the hold's own 1 are not shown. */
function arrange() {
  const shown = [
    ['tenant', 'Tenant'],
    ['operation', 'Operation'],
    ...columns.map(({ name }, i) => [`Value #${refIdOf(i)}`, name]),
    ['reason', 'Hold'],
  ] as const;
  const hidden = ['Time', '__name__', 'status', `Value #${refIdOf(columns.length)}`];
  return {
    id: 'organize',
    options: {
      renameByName: Object.fromEntries(shown),
      indexByName: Object.fromEntries(shown.map(([field], i) => [field, i])),
      excludeByName: Object.fromEntries(hidden.map((field) => [field, true])),
    },
  };
}
