/**
 * An item of a batch, as far as a line says it, and where it stood.
 *
 * @typedef {{ machineId?: string, machineName?: string, aadDeviceId?: string, comment?: string, priority?: string, source?: string,
 *   notAfter?: string, correlation?: Record<string, string> }} Item
 * @typedef {{ line: number, item: Item }} Line
 * @typedef {{ lines: Line[], unusedColumns: string[], faults: string[] }} Machines
 * @typedef {(text: string, options: { header: false }) => { data: unknown[], errors: { type: string, row?: number | undefined, message: string }[] }} ParseCsv
 */

/** As many as a batch can have. */
export const mostMachines = 10_000;
/** Faults that are named: they tend to share one mistake. */
const mostFaults = 5;

const machineIdPattern = /^(?:[0-9a-f]{32}|[0-9a-f]{40})$/i;
const guidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What columns are called: as in the API, or as exports of Defender have them. Space, case and dashes do not matter. */
const columns = new Map(
  /** @type {[string, keyof Item][]} */ ([
    ['machineid', 'machineId'],
    ['deviceid', 'machineId'],
    ['machinename', 'machineName'],
    ['devicename', 'machineName'],
    ['computerdnsname', 'machineName'],
    ['aaddeviceid', 'aadDeviceId'],
    ['azureaddeviceid', 'aadDeviceId'],
    ['entradeviceid', 'aadDeviceId'],
    ['comment', 'comment'],
    ['priority', 'priority'],
    ['source', 'source'],
    ['notafter', 'notAfter'],
  ]),
);
const correlationPrefix = 'correlation.';
/** Where a row has several of them the first one counts: an item names its machine once. */
const names = /** @type {const} */ (['machineId', 'aadDeviceId', 'machineName']);

/**
 * Reads machines as they are pasted: one a line, or CSV whose first row names the columns. The status page is served this file
 * as it is, and has the library as a global; others hand it in.
 *
 * @param {string} text
 * @param {ParseCsv} [parse] of papaparse
 * @returns {Machines}
 */
export function readMachines(text, parse = globalThis.Papa.parse) {
  const { data, errors } = parse(text.replace(/^\uFEFF/, ''), { header: false });
  const rows = /** @type {string[][]} */ (data)
    .map((cells, i) => ({ line: i + 1, cells: cells.map((cell) => cell.trim()) }))
    .filter(({ cells }) => cells.some(Boolean));
  const quotes = errors.find(({ type }) => type === 'Quotes');
  if (quotes)
    return { lines: [], unusedColumns: [], faults: [`Row ${(quotes.row ?? 0) + 1}: ${quotes.message}.`] };
  const [first] = rows;
  const isHeader = first?.cells.some((cell) => names.some((name) => columns.get(plain(cell)) === name));
  return first && isHeader ? ofTable(first.cells, rows.slice(1)) : ofLines(rows);
}

/** @typedef {{ line: number, cells: string[] }} Row */

/**
 * @param {string[]} header
 * @param {Row[]} rows
 * @returns {Machines}
 */
function ofTable(header, rows) {
  const lines = rows.map(({ line, cells }) => ({ line, item: itemOf(header, cells) }));
  const nameless = lines.filter(({ item }) => names.every((name) => item[name] === undefined));
  return {
    lines,
    unusedColumns: header.filter((name) => name && !columns.has(plain(name)) && !correlationKey(name)),
    faults: limited(nameless.map(({ line }) => `Line ${line} names no machine.`)),
  };
}

/**
 * @param {string[]} header
 * @param {string[]} cells
 * @returns {Item}
 */
function itemOf(header, cells) {
  /** @type {Item} */
  const item = {};
  /** @type {Map<string, string>} whatever their names are, none vanishes: the service says which cannot be */
  const pairs = new Map();
  header.forEach((name, i) => {
    const cell = cells[i];
    if (!cell) return;
    const key = correlationKey(name);
    const field = columns.get(plain(name));
    if (key) pairs.set(key, cell);
    else if (field && field !== 'correlation') item[field] ??= cell;
  });
  const named = names.find((name) => item[name] !== undefined);
  for (const name of names) if (name !== named) delete item[name];
  return pairs.size === 0 ? item : { ...item, correlation: Object.fromEntries(pairs) };
}

/**
 * @param {Row[]} rows
 * @returns {Machines}
 */
function ofLines(rows) {
  const several = rows.filter(({ cells }) => cells.filter(Boolean).length > 1);
  return {
    lines: rows.map(({ line, cells }) => ({ line, item: namedBy(cells.find(Boolean) ?? '') })),
    unusedColumns: [],
    faults: limited(
      several.map(({ line }) => `Line ${line} has several columns, and no first line names them.`),
    ),
  };
}

/**
 * @param {string} text
 * @returns {Item}
 */
function namedBy(text) {
  if (machineIdPattern.test(text)) return { machineId: text.toLowerCase() };
  return guidPattern.test(text) ? { aadDeviceId: text } : { machineName: text };
}

/** @param {string} name */
function plain(name) {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '');
}

/** @param {string} name */
function correlationKey(name) {
  return name.toLowerCase().startsWith(correlationPrefix) ? name.slice(correlationPrefix.length) : '';
}

/** @param {string[]} faults */
function limited(faults) {
  const more = faults.length - mostFaults;
  return more > 0 ? [...faults.slice(0, mostFaults), `And ${more} more.`] : faults;
}
