import { QueryVariableBuilder, VariableRefresh } from '@grafana/grafana-foundation-sdk/dashboard';
import { dataSource } from './panels.ts';

/** Chosen above the panels: whose queues, and which of their operations; all of both at first. */
export function queueVariables() {
  return [
    variable('tenant', 'Tenant', 'label_values(diq_quota_limit, tenant)'),
    variable('operation', 'Operation', 'label_values(diq_quota_limit{tenant=~"$tenant"}, operation)'),
  ];
}

/** The series of the queues that are chosen, with these labels beside. */
export function chosen(metric: string, labels?: string): string {
  const matchers = [
    'tenant=~"$tenant"',
    'operation=~"$operation"',
    ...(labels === undefined ? [] : [labels]),
  ];
  return `${metric}{${matchers.join(',')}}`;
}

function variable(name: string, label: string, query: string) {
  return (
    new QueryVariableBuilder(name)
      .label(label)
      .datasource(dataSource)
      .query({ query, refId: name })
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .multi(true)
      .includeAll(true)
      // Not a list of a thousand names in each query.
      .allValue('.*')
      .current({ text: 'All', value: '$__all', selected: true })
  );
}
