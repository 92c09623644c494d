/** A series of the default tenant's queue, as the metrics write it. */
export function queueSeries(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const all = { tenant: 'default', operation: 'initiateInvestigation', ...labels };
  const written = Object.entries(all).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${written.join(',')}}`;
}
