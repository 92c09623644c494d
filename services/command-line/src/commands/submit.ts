import { priorities } from '@diq/contracts/priority.ts';
import type { NewBatch } from '@diq/client/inputs.ts';
import { parseJson } from '@diq/client/parse-json.ts';
import { withoutUndefined } from '@diq/contracts/without-undefined.ts';
import { CommandFailure } from '../command-failure.ts';
import { defineCommand, type Context } from '../define-command.ts';
import { machineOf } from '../output/describe-request.ts';
import { plain, textTable } from '../output/text-table.ts';
import { writeAnswer } from '../output/write-answer.ts';
import { readBatch, type ReadBatch } from '../read-batch.ts';
import { pairsOf } from '../request-options.ts';
import { watchBatch, watchOptions } from '../watch.ts';

export const submit = defineCommand({
  usage: 'submit <file>',
  about: 'submit machines out of a file: JSON, CSV, or text with a machine a line; - is stdin',
  places: { file: { type: 'string', demandOption: true, describe: 'the file, or - for stdin' } },
  options: {
    comment: { type: 'string', describe: 'of items that have none: what Defender shows' },
    priority: { choices: priorities, describe: 'of items that have none' },
    source: { type: 'string', describe: 'for whom it is asked, of items that have none' },
    'not-after': { type: 'string', describe: 'ISO 8601: after it nothing is started' },
    correlation: { type: 'string', array: true, describe: 'key=value, given back with each request' },
    parameters: { type: 'string', describe: 'JSON: what the operation takes' },
    'idempotency-key': { type: 'string', describe: 'the same again gives the first answer' },
    'dry-run': {
      type: 'boolean',
      default: false,
      describe: 'say what would become of it, and record nothing',
    },
    watch: { type: 'boolean', default: false, describe: 'watch it to its end' },
    ...watchOptions,
  },
  examples: [
    [
      'diq submit machines.csv --comment "INC-4711: suspicious logon" --watch',
      'submit, and wait for the end',
    ],
    ['cut -d, -f1 export.csv | diq submit - --comment x --dry-run', 'ask first'],
  ],
  async run(context, args) {
    const { io, client, operation } = context;
    const read = await readBatch(args.file, io);
    if (read.unusedColumns.length > 0)
      io.complain(`Columns that are not used: ${plain(read.unusedColumns.join(', '))}\n`);
    const defaults = withoutUndefined({
      comment: args.comment,
      priority: args.priority,
      source: args.source,
      notAfter: args['not-after'],
      correlation: pairsOf(args.correlation),
      parameters: parametersOf(args.parameters),
    });
    const merged = { ...read.batch.defaults, ...defaults };
    const batch: NewBatch = {
      ...read.batch,
      ...(operation && { operation }),
      ...(Object.keys(merged).length > 0 && { defaults: merged }),
    };
    const { signal } = io;
    if (args['dry-run']) {
      const answer = await client.dryRunBatch(batch, { signal });
      writeAnswer(context, answer, () => foreseenText(answer, read));
      return answer.counts.rejected === 0 ? 'done' : 'otherwise';
    }
    const key = args['idempotency-key'];
    const answer = await client.submitBatch(batch, {
      signal,
      ...(key !== undefined && { idempotencyKey: key }),
    });
    if (!args.watch) {
      writeAnswer(context, answer, () => receivedText(answer, read));
      return answer.counts.rejected === 0 ? 'done' : 'otherwise';
    }
    io.complain(receivedText(answer, read));
    return watchBatch(context, answer.id, args);
  },
});

type Answer = Awaited<ReturnType<Context['client']['submitBatch']>>;
type DryRun = Awaited<ReturnType<Context['client']['dryRunBatch']>>;

function receivedText({ id, counts, items }: Answer, read: ReadBatch): string {
  const { accepted, coalesced, rejected } = counts;
  const line = `batch ${id}: accepted ${accepted}, coalesced ${coalesced}, rejected ${rejected}\n`;
  return line + refusedTable(items, read);
}

function foreseenText(answer: DryRun, read: ReadBatch): string {
  const { accepted, coalesced, rejected } = answer.counts;
  const until =
    'expectedCompletionAt' in answer ? (answer.expectedCompletionAt ?? 'unknown') : 'not shown to this key';
  const line = `would be: accepted ${accepted}, coalesced ${coalesced}, rejected ${rejected}; last call: ${until}\n`;
  return line + refusedTable(answer.items, read);
}

function refusedTable(items: Answer['items'] | DryRun['items'], { lines }: ReadBatch): string {
  const rows = [...items].flatMap((item) => {
    if (item.status !== 'rejected') return [];
    const { index, error } = item;
    const where = lines?.[index] ?? index + 1;
    return [
      [
        where,
        machineOf('machineId' in item || 'machineName' in item || 'aadDeviceId' in item ? item : {}),
        `${error.code}: ${error.message}`,
      ],
    ];
  });
  return rows.length === 0 ? '' : textTable([lines ? 'line' : 'item', 'machine', 'reason'], rows);
}

function parametersOf(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  const value = parseJson(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new CommandFailure('usage', '--parameters: must be a JSON object');
}
