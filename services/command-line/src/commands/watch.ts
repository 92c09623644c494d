import { defineCommand } from '../define-command.ts';
import { findById } from '../find-by-id.ts';
import { milliseconds, watchBatch, watchOptions, watchRequest } from '../watch.ts';

export const watch = defineCommand({
  usage: 'watch <id>',
  about: 'wait for the end of a request or a batch, and show how far it is',
  places: { id: { type: 'string', demandOption: true, describe: 'of a request or a batch' } },
  options: watchOptions,
  async run(context, { id, ...args }) {
    const { client, io } = context;
    const sinceMs = performance.now();
    const timeoutMs = milliseconds('--timeout', args.timeout);
    const { kind } = await findById(client, id, { signal: io.signal, timeoutMs });
    const watch = kind === 'batch' ? watchBatch : watchRequest;
    return watch(context, id, { ...args, sinceMs });
  },
});
