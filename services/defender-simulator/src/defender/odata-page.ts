import { readFilter, type FieldKind, type Row } from './odata-filter.ts';

export interface PageRules {
  /** What `$filter` may name. */
  fields: Readonly<Record<string, FieldKind>>;
  /** The most rows that one answer contains. */
  pageSize: number;
  /** Absolute address of the list, without a query. */
  address: string;
}

export type PageReading =
  | { kind: 'page'; members: { '@odata.count'?: number; value: Row[]; '@odata.nextLink'?: string } }
  | { kind: 'invalid'; message: string };

/** Applies `$filter`, `$skip`, `$top` and `$count` to rows that are already in order. */
export function readPage(rows: readonly Row[], query: Row, rules: PageRules): PageReading {
  const options = readOptions(query);
  if (typeof options === 'string') return { kind: 'invalid', message: options };
  const filter = options.filter === undefined ? undefined : readFilter(options.filter, rules.fields);
  if (filter?.kind === 'invalid') return filter;

  const matching = filter === undefined ? rows : rows.filter(filter.accepts);
  const wanted = matching.slice(options.skip, options.skip + options.top);
  const value = wanted.slice(0, rules.pageSize);
  const left = wanted.length - value.length;
  return {
    kind: 'page',
    members: {
      ...(options.count ? { '@odata.count': matching.length } : {}),
      value,
      ...(left > 0 ? { '@odata.nextLink': nextLink(options, value.length, rules.address) } : {}),
    },
  };
}

interface PageOptions {
  filter: string | undefined;
  top: number;
  topGiven: boolean;
  skip: number;
  count: boolean;
}

const knownOptions = new Set(['$filter', '$top', '$skip', '$count', '$expand']);
const mostRows = 10_000;

/** Gives the fault as text. */
function readOptions(query: Row): PageOptions | string {
  for (const [name, value] of Object.entries(query)) {
    if (typeof value !== 'string') return `The query option '${name}' was given more than once.`;
    if (name.startsWith('$') && !knownOptions.has(name))
      return `The query option '${name}' is not supported.`;
  }
  const text = (name: string) => query[name] as string | undefined;
  const top = Number(text('$top') ?? mostRows);
  const skip = Number(text('$skip') ?? 0);
  if (!/^\d+$/.test(text('$top') ?? '1') || top < 1 || top > mostRows)
    return `$top must lie between 1 and ${mostRows}.`;
  if (!/^\d+$/.test(text('$skip') ?? '0')) return '$skip must be a whole number.';
  if (!/^(true|false)$/.test(text('$count') ?? 'false')) return '$count must be true or false.';
  const topGiven = text('$top') !== undefined;
  return { filter: text('$filter'), top, topGiven, skip, count: text('$count') === 'true' };
}

function nextLink(options: PageOptions, shown: number, address: string): string {
  const next = new URLSearchParams();
  if (options.filter !== undefined) next.set('$filter', options.filter);
  if (options.count) next.set('$count', 'true');
  if (options.topGiven) next.set('$top', String(options.top - shown));
  next.set('$skip', String(options.skip + shown));
  return `${address}?${next.toString()}`;
}
