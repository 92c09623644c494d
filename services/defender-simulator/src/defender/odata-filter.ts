/** How the values of a field are written in a filter. */
export type FieldKind = 'text' | 'time' | 'number';

export type Row = Readonly<Record<string, unknown>>;

export type FilterReading =
  { kind: 'filter'; accepts: (row: Row) => boolean } | { kind: 'invalid'; message: string };

/**
 * Reads the part of OData's `$filter` that Defender's documentation and clients use: comparisons joined by `and`.
 * Text is compared by `eq` or `in ('one', 'other')`, in single quotes (a quote inside is doubled); times by `eq ge gt le lt`, without quotes;
 * numbers by `eq`.
 */
export function readFilter(text: string, fields: Readonly<Record<string, FieldKind>>): FilterReading {
  const comparisons: ((row: Row) => boolean)[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const match =
      /^(\w+) +(\w+) +('(?:[^']|'')*'|\((?:[^'()]|'[^']*')*\)|[^\s'()]+)(?: +and +(?=\S)| *$)/.exec(rest);
    if (match === null) return syntaxError(text);
    const [whole, field = '', operator = '', literal = ''] = match;
    const kind = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (kind === undefined)
      return { kind: 'invalid', message: `Could not find a filterable property named '${field}'.` };
    const comparison = readComparison(kind, operator, literal);
    if (comparison === undefined) return syntaxError(text);
    comparisons.push((row) => comparison(row[field]));
    rest = rest.slice(whole.length);
  }
  if (comparisons.length === 0) return syntaxError(text);
  return { kind: 'filter', accepts: (row) => comparisons.every((comparison) => comparison(row)) };
}

type Comparison = (value: unknown) => boolean;

function readComparison(kind: FieldKind, operator: string, literal: string): Comparison | undefined {
  if (kind === 'time') return timeComparison(operator, literal);
  if (kind === 'text' && operator === 'in') return oneOf(literal);
  if (operator !== 'eq') return undefined;
  if (kind === 'number') return /^-?\d+$/.test(literal) ? (value) => value === Number(literal) : undefined;
  if (!literal.startsWith("'")) return undefined;
  const wanted = textOf(literal);
  return (value) => value === wanted;
}

/** A list in brackets, of at least one text. */
function oneOf(list: string): Comparison | undefined {
  if (!/^\( *(?:'[^']*')+(?: *, *(?:'[^']*')+)* *\)$/.test(list)) return undefined;
  const wanted = textsIn(list);
  return (value) => wanted.some((text) => text === value);
}

/** The texts that stand in a filter, in their order. */
export function textsIn(filter: string): string[] {
  return [...filter.matchAll(/'(?:[^']|'')*'/g)].map(([literal]) => textOf(literal));
}

function textOf(literal: string): string {
  return literal.slice(1, -1).replaceAll("''", "'");
}

const orders: Record<string, (value: number, literal: number) => boolean> = {
  eq: (value, literal) => value === literal,
  ge: (value, literal) => value >= literal,
  gt: (value, literal) => value > literal,
  le: (value, literal) => value <= literal,
  lt: (value, literal) => value < literal,
};

const timeLiteral = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d)$/;

function timeComparison(operator: string, literal: string): Comparison | undefined {
  const order = Object.hasOwn(orders, operator) ? orders[operator] : undefined;
  const wantedMs = timeLiteral.test(literal) ? Date.parse(literal) : Number.NaN;
  if (order === undefined || Number.isNaN(wantedMs)) return undefined;
  return (value) => typeof value === 'string' && order(Date.parse(value), wantedMs);
}

function syntaxError(text: string): FilterReading {
  return { kind: 'invalid', message: `Syntax error in the filter '${text}'.` };
}
