import { defineCommand } from '../define-command.ts';
import { findById } from '../find-by-id.ts';
import { watchBatch, watchOptions, watchRequest } from '../watch.ts';

export const watch = defineCommand({
  usage: 'watch <id>',
  about: 'wait for the end of a request or a batch, and show how far it is',
  places: { id: { type: 'string', demandOption: true, describe: 'of a request or a batch' } },
  options: watchOptions,
  async run(context, { id, ...args }) {
    const { kind } = await findById(context.client, id, context.io.signal);
    return kind === 'batch' ? watchBatch(context, id, args) : watchRequest(context, id, args);
  },
});
