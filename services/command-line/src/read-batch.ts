import { extname } from 'node:path';
import Papa from 'papaparse';
import { readRegularFile } from '@diq/runtime/settings/read-regular-file.ts';
import type { NewBatch } from '@diq/client/inputs.ts';
import { mostMachines, readMachines } from '@diq/contracts/machine-list.js';
import { CommandFailure } from './command-failure.ts';
import { readStdin, type Io } from './io.ts';

/** A batch out of a file, and in which line of it each item stood; no lines of JSON. */
export interface ReadBatch {
  batch: NewBatch;
  lines: readonly number[] | undefined;
  /** Columns of a table that mean nothing here. */
  unusedColumns: readonly string[];
}

/** As large as a batch of 10,000 items with long comments. */
const maxFileBytes = 64 * 1_024 * 1_024;

/**
 * JSON (a batch, a list of items or one item), CSV whose first row names the columns, or text with a machine a line.
 *
 * @param path `-` for stdin
 * @throws CommandFailure that names every fault
 */
export async function readBatch(path: string, io: Io): Promise<ReadBatch> {
  const name = path === '-' ? 'stdin' : path;
  const bytes = await (
    path === '-' ? readStdin(io, maxFileBytes) : readRegularFile(path, maxFileBytes)
  ).catch((error: unknown) => {
    const reason = error instanceof Error ? ('code' in error ? String(error.code) : error.message) : '';
    throw new CommandFailure('usage', `${name} cannot be read: ${reason}`);
  });
  const text = decode(bytes, name);
  const isJson = extname(path).toLowerCase() === '.json' || (path === '-' && /^\s*[[{]/.test(text));
  return isJson ? readJson(text, name) : readTable(text, name);
}

/** Spreadsheets on Windows also write UTF-16. */
function decode(bytes: Buffer, name: string): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  try {
    return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CommandFailure('usage', `${name} is neither UTF-8 nor UTF-16.`);
  }
}

function readJson(text: string, name: string): ReadBatch {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // Node quotes the text around the fault, which may be long, and on one line.
    const where = error instanceof Error ? (/position \d+.*$/.exec(error.message)?.[0] ?? '') : '';
    throw new CommandFailure('usage', `${name} is not valid JSON${where ? ` (${where})` : ''}.`);
  }
  if (typeof value !== 'object' || value === null)
    throw new CommandFailure('usage', `${name} must hold a batch, a list of items or an item.`);
  const batch = Array.isArray(value)
    ? { requests: value }
    : 'requests' in value
      ? value
      : { requests: [value] };
  // What it holds is judged by the service, item by item.
  return { batch: batch as NewBatch, lines: undefined, unusedColumns: [] };
}

function readTable(text: string, name: string): ReadBatch {
  const { lines, faults, unusedColumns } = readMachines(text, (csv, options) =>
    Papa.parse<unknown>(csv, options),
  );
  if (faults.length > 0)
    throw new CommandFailure(
      'usage',
      `${name} cannot be used.`,
      faults.map((fault) => `  ${fault}`),
    );
  if (lines.length === 0) throw new CommandFailure('usage', `${name} names no machine.`);
  if (lines.length > mostMachines)
    throw new CommandFailure(
      'usage',
      `${name} has ${lines.length} machines; a batch has ${mostMachines} at most.`,
    );
  // What stands in the cells is judged by the service.
  const requests: readonly object[] = lines.map(({ item }) => item);
  return {
    batch: { requests },
    lines: lines.map(({ line }) => line),
    unusedColumns,
  };
}
