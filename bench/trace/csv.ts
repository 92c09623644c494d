import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse } from 'csv-parse';
import { z } from 'zod';
import { priorities } from '@diq/contracts/priority.ts';
import { machineStates, truths, type Trace, type TraceRequest } from './trace-request.ts';

export const columns = [
  'atSeconds',
  'incident',
  'batch',
  'source',
  'priority',
  'machineId',
  'machine',
  'truth',
] as const satisfies (keyof TraceRequest)[];

/** More than this takes days to replay. */
const mostRequests = 200_000;

const row = z.object({
  atSeconds: z.coerce.number().min(0),
  machineId: z.string().regex(/^[0-9a-f]{32}$|^[0-9a-f]{40}$/, 'is no machine id: 32 or 40 digits of hex'),
  priority: z.enum(priorities).default('medium'),
  source: z.string().min(1).max(100).default('unnamed'),
  incident: z.string().max(200).default(''),
  batch: z.string().max(200).default(''),
  machine: z.enum(machineStates).default('known'),
  truth: z.enum(truths).optional(),
});

/**
 * Reads a trace of one's own. `atSeconds` and `machineId` are needed, other columns may be missing or empty. A machine that is
 * `unknown` gets an id that the simulator does not know.
 *
 * @throws Error that names line, column and fault
 */
export async function readTrace(file: string): Promise<Trace> {
  const requests: TraceRequest[] = [];
  const rows = createReadStream(file).pipe(parse({ columns: true, trim: true, bom: true }));
  for await (const record of rows as AsyncIterable<Record<string, string>>) {
    const line = requests.length + 2;
    const given = Object.fromEntries(Object.entries(record).filter(([, value]) => value !== ''));
    const read = row.safeParse(given);
    if (!read.success) {
      const [issue] = read.error.issues;
      throw new Error(`${file}, line ${line}: ${issue?.path.join('.')} ${issue?.message}`);
    }
    if (requests.length === mostRequests)
      throw new Error(`${file} has more than ${mostRequests} requests (expected fewer)`);
    const { machineId, machine, incident, truth, ...rest } = read.data;
    requests.push({
      ...rest,
      machine,
      truth,
      incident: incident === '' ? `line-${line}` : incident,
      machineId: machine === 'unknown' ? `dead${machineId.slice(4)}` : machineId,
    });
  }
  if (requests.length === 0) throw new Error(`${file} holds no request (expected a head and lines)`);
  requests.sort((a, b) => a.atSeconds - b.atSeconds);
  const lastSeconds = requests.at(-1)?.atSeconds ?? 0;
  return { name: basename(file), hours: Math.ceil(lastSeconds / 3_600) + 1, requests };
}

/** What the generator makes holds neither commas nor quotes. */
export async function writeTrace(file: string, { requests }: Trace): Promise<void> {
  const lines = requests.map((request) =>
    columns
      .map((name) => (name === 'atSeconds' ? request.atSeconds.toFixed(1) : (request[name] ?? '')))
      .join(','),
  );
  await writeFile(file, `${[columns.join(','), ...lines].join('\n')}\n`);
}
