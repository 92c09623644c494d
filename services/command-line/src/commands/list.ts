import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { resultOutcomes } from '@diq/contracts/result-outcome.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import { CommandFailure } from '../command-failure.ts';
import { defineCommand } from '../define-command.ts';
import { requestTable } from '../output/describe-request.ts';
import { writeAnswer } from '../output/write-answer.ts';
import { filterOf, filterOptions } from '../request-options.ts';

const mostOnPage = 500;

export const list = defineCommand({
  usage: 'list',
  about: 'list requests, newest first',
  places: {},
  options: {
    status: { choices: requestStatuses, array: true, describe: 'with one of these statuses' },
    outcome: { choices: resultOutcomes, describe: 'with this outcome of the result' },
    ...filterOptions,
    from: { type: 'string', describe: 'ISO 8601: asked for from then on' },
    to: { type: 'string', describe: 'ISO 8601: asked for before' },
    limit: { type: 'number', default: 50, describe: 'how many at most' },
  },
  async run(context, args) {
    const { status, outcome, from, to, limit } = args;
    if (!Number.isInteger(limit) || limit < 1)
      throw new CommandFailure('usage', '--limit: must be a whole number');
    const { client, operation, io } = context;
    const asked = {
      ...filterOf(args),
      status,
      outcome,
      from,
      to,
      operation,
      limit: Math.min(limit, mostOnPage),
    };
    const requests: RequestDocument[] = [];
    for await (const request of client.listRequests(asked, { signal: io.signal })) {
      requests.push(request);
      if (requests.length >= limit) break;
    }
    writeAnswer(context, requests, () => requestTable(requests));
    return 'done';
  },
});
