import { CommandFailure } from '../command-failure.ts';
import { defineCommand, type Context } from '../define-command.ts';
import { findById } from '../find-by-id.ts';
import { writeAnswer } from '../output/write-answer.ts';
import { filterOf, filterOptions, isFilter, reasonOption } from '../request-options.ts';

export const cancel = defineCommand({
  usage: 'cancel [id]',
  about: 'cancel a request, a batch, or what is queued and fits all that is given',
  places: { id: { type: 'string', describe: 'of a request or a batch' } },
  options: { ...filterOptions, ...reasonOption },
  examples: [['diq cancel --correlation incident=INC-4711 --reason "False alarm"', 'by the incident']],
  async run(context, { id, reason, ...args }) {
    const { client, operation, io } = context;
    const { signal } = io;
    const filter = filterOf(args);
    if ((id === undefined) === !isFilter(filter))
      throw new CommandFailure('usage', 'Name either an id, or what the requests have in common.');
    const found = id === undefined ? undefined : await findById(client, id, signal);
    if (found?.kind === 'request') {
      const cancelled = await client.cancelRequest(found.request.id, { reason }, { signal });
      writeAnswer(context, cancelled, () => `cancelled ${cancelled.id}\n`);
      return 'done';
    }
    const total = { cancelled: 0, alreadyDispatched: 0 };
    const parts = found
      ? cancelBatch(context, found.batch.id, reason)
      : client.cancelAll({ ...filter, reason, operation }, { signal });
    for await (const { cancelled, alreadyDispatched } of parts) {
      total.cancelled += cancelled;
      // Counted anew by each part of a batch, which begins again.
      total.alreadyDispatched = found ? alreadyDispatched : total.alreadyDispatched + alreadyDispatched;
    }
    writeAnswer(
      context,
      total,
      () => `cancelled ${total.cancelled}; ${total.alreadyDispatched} were called before and go on\n`,
    );
    return 'done';
  },
});

async function* cancelBatch({ client, io: { signal } }: Context, id: string, reason: string | undefined) {
  for (;;) {
    const part = await client.cancelBatch(id, { reason }, { signal });
    yield part;
    if (!part.remaining) return;
  }
}
