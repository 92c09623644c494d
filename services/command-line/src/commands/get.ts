import { defineCommand } from '../define-command.ts';
import { findById } from '../find-by-id.ts';
import { batchText, requestText } from '../output/describe-request.ts';
import { writeAnswer } from '../output/write-answer.ts';

export const get = defineCommand({
  usage: 'get <id>',
  about: 'show a request or a batch',
  places: { id: { type: 'string', demandOption: true, describe: 'of a request or a batch' } },
  options: {},
  async run(context, { id }) {
    const found = await findById(context.client, id, { signal: context.io.signal });
    if (found.kind === 'batch') writeAnswer(context, found.batch, () => batchText(found.batch));
    else writeAnswer(context, found.request, () => requestText(found.request));
    return 'done';
  },
});
