import { DiqError } from '@diq/client/diq-error.ts';
import { CommandFailure } from '../command-failure.ts';
import { defineCommand, type Context } from '../define-command.ts';
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
    // Both need no `read`, as looking first whose id it is would.
    const noRequest = id === undefined ? undefined : await cancelRequest(context, id, reason);
    if (noRequest === 'cancelled') return 'done';
    const total = { cancelled: 0, alreadyDispatched: 0 };
    const parts =
      id !== undefined && noRequest
        ? cancelBatch(context, id, reason, noRequest)
        : client.cancelAll({ ...filter, reason, operation }, { signal });
    for await (const { cancelled, alreadyDispatched } of parts) {
      total.cancelled += cancelled;
      // Counted anew by each part of a batch, which begins again.
      total.alreadyDispatched = noRequest ? alreadyDispatched : total.alreadyDispatched + alreadyDispatched;
    }
    writeAnswer(
      context,
      total,
      () => `cancelled ${total.cancelled}; ${total.alreadyDispatched} were called before and go on\n`,
    );
    return 'done';
  },
});

/** `cancelled`, or the error where no request has this id. */
async function cancelRequest(
  context: Context,
  id: string,
  reason: string | undefined,
): Promise<'cancelled' | DiqError> {
  try {
    const { client, io } = context;
    const cancelled = await client.cancelRequest(id, { reason }, { signal: io.signal });
    writeAnswer(context, cancelled, () => `cancelled ${cancelled.id}\n`);
    return 'cancelled';
  } catch (error) {
    if (error instanceof DiqError && error.code === 'request_not_found') return error;
    throw error;
  }
}

/** @throws `noRequest` where no batch has this id either */
async function* cancelBatch(
  { client, io: { signal } }: Context,
  id: string,
  reason: string | undefined,
  noRequest: DiqError,
) {
  for (;;) {
    const part = await client.cancelBatch(id, { reason }, { signal }).catch((error: unknown) => {
      if (error instanceof DiqError && error.code === 'batch_not_found') throw noRequest;
      throw error;
    });
    yield part;
    if (!part.remaining) return;
  }
}
