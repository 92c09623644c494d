import { requestStatuses } from '@diq/contracts/status.ts';
import type { OperationName } from '@diq/contracts/operations.ts';
import { CommandFailure } from '../command-failure.ts';
import { defineCommand, type Context } from '../define-command.ts';
import { findById } from '../find-by-id.ts';
import { requestText } from '../output/describe-request.ts';
import { writeAnswer } from '../output/write-answer.ts';
import { filterOf, filterOptions, isFilter, reasonOption } from '../request-options.ts';

export const retry = defineCommand({
  usage: 'retry [id]',
  about: 'ask again for what ended without a start: a request, a batch, or what fits all that is given',
  places: { id: { type: 'string', describe: 'of a request or a batch' } },
  options: {
    status: {
      choices: requestStatuses,
      array: true,
      describe: 'what ended so; without it what failed. unknown: look first whether it was called',
    },
    ...filterOptions,
    ...reasonOption,
  },
  async run(context, { id, status, reason, ...args }) {
    const { client, operation, io } = context;
    const { signal } = io;
    const filter = { ...filterOf(args), ...(status && { status }) };
    if (id !== undefined && isFilter(filterOf(args)))
      throw new CommandFailure('usage', 'Name either an id, or what the requests have in common.');
    if (id === undefined && !isFilter(filter))
      throw new CommandFailure('usage', 'Name an id, or what the requests have in common.');
    const found = id === undefined ? undefined : await findById(client, id, { signal });
    if (found?.kind === 'request') {
      if (status)
        throw new CommandFailure(
          'usage',
          '--status: not with the id of a request, which is retried as it is',
        );
      const made = await client.retryRequest(found.request.id, { reason }, { signal });
      writeAnswer(context, made, () => requestText(made));
      return 'done';
    }
    const what = found
      ? {
          ...filter,
          batchId: found.batch.id,
          operation: operation ?? (await operationOf(context, found.batch.id)),
        }
      : { ...filter, operation };
    const total = { retried: 0, coalesced: 0, alreadyRetried: 0, deadlinePassed: 0, tooManyJoined: 0 };
    let stoppedBy: string | undefined;
    for await (const part of client.retryAll({ ...what, reason }, { signal })) {
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += part[name];
      stoppedBy = part.stoppedBy;
    }
    writeAnswer(context, { ...total, ...(stoppedBy && { stoppedBy }) }, () => {
      const { retried, alreadyRetried, deadlinePassed, tooManyJoined } = total;
      const left = `left: ${alreadyRetried} retried before, ${deadlinePassed} past their time, ${tooManyJoined} of full machines`;
      return `retried ${retried}; ${left}\n${stoppedBy ? `No more is accepted for now: ${stoppedBy}\n` : ''}`;
    });
    return stoppedBy === undefined ? 'done' : 'otherwise';
  },
});

/** Of a batch, which does not say it: that of its items. */
async function operationOf(
  { client, io: { signal } }: Context,
  batchId: string,
): Promise<OperationName | undefined> {
  for await (const item of client.listBatchItems(batchId, { limit: 100 }, { signal })) {
    if (item.status === 'rejected' || item.status === 'gone') continue;
    return (await client.getRequest(item.id, { signal })).operation as OperationName | undefined;
  }
  return undefined;
}
