import type { WaitOptions } from '@diq/client/wait-calls.ts';
import { DiqError } from '@diq/client/diq-error.ts';
import type { BatchDocument, BatchEntry } from '@diq/contracts/batch-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { CommandFailure } from './command-failure.ts';
import type { Context } from './define-command.ts';
import type { Ending } from './exit-codes.ts';
import { batchText, countsOf, outcomeOf, requestText, unhappyTable } from './output/describe-request.ts';
import { createWatchView, type Progress } from './output/watch-view.ts';
import { writeAnswer } from './output/write-answer.ts';

export const watchOptions = {
  until: {
    choices: ['start', 'end'] as const,
    default: 'end' as const,
    describe: 'start: all calls are made; end: what they started has ended, too',
  },
  timeout: { type: 'number', describe: 'seconds; without it as long as it takes' },
  every: { type: 'number', describe: 'seconds between two looks; on a terminal 5, else as the service asks' },
} as const;

export interface WatchArgs {
  until: 'start' | 'end';
  timeout?: number | undefined;
  /** Of `performance.now()`: from when on `timeout` counts, which is now without it. */
  sinceMs?: number;
  every?: number | undefined;
}

const everyOnTerminalMs = 5_000;

/** Watches a batch to its end. Its items that were not started are shown. */
export async function watchBatch(context: Context, id: string, args: WatchArgs): Promise<Ending> {
  const batch = await withView<BatchDocument>(context, id, args, describeBatch, (options) =>
    context.client.waitForBatch(id, options),
  );
  const { signal } = context.io;
  const items: BatchEntry[] = [];
  for await (const item of context.client.listBatchItems(id, { limit: 1_000 }, { signal })) items.push(item);
  writeAnswer(context, { ...batch, items }, () => batchText(batch) + unhappyTable(items));
  const { counts, results } = batch;
  return counts.started === counts.total && results.failed + results.cancelled === 0 ? 'done' : 'otherwise';
}

/** Watches a request to its end. */
export async function watchRequest(context: Context, id: string, args: WatchArgs): Promise<Ending> {
  const request = await withView<RequestDocument>(context, id, args, describeRequest, (options) =>
    context.client.waitForRequest(id, options),
  );
  writeAnswer(context, request, () => requestText(request));
  const { status, result } = request;
  const isBad = result?.outcome === 'failed' || result?.outcome === 'cancelled';
  return status === 'started' && !isBad ? 'done' : 'otherwise';
}

async function withView<Document>(
  { io }: Context,
  id: string,
  { until, timeout, sinceMs = performance.now(), every }: WatchArgs,
  describe: (document: Document) => Progress,
  wait: (options: WaitOptions<Document>) => Promise<Document>,
): Promise<Document> {
  const timeoutMs = milliseconds('--timeout', timeout);
  const view = createWatchView(io);
  try {
    return await wait({
      until,
      signal: io.signal,
      timeoutMs: timeoutMs && timeoutMs - (performance.now() - sinceMs),
      everyMs: milliseconds('--every', every) ?? (io.terminal ? everyOnTerminalMs : undefined),
      onLook: (document) => view.show(describe(document)),
    });
  } catch (error) {
    view.close();
    if (error instanceof DiqError && error.code === 'not_ended')
      throw new CommandFailure(
        'notInTime',
        `It has not ended within ${timeout} s. It goes on; see: diq watch ${id}`,
      );
    if (io.signal.aborted) io.complain(`It goes on; see: diq watch ${id}\n`);
    throw error;
  } finally {
    view.close();
  }
}

/** @throws CommandFailure for less than a second */
export function milliseconds(option: string, seconds: number | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  if (!(seconds >= 1))
    throw new CommandFailure('usage', `${option}: must be a number of seconds, 1 at least`);
  return seconds * 1_000;
}

function describeBatch(batch: BatchDocument): Progress {
  const { counts, expectedCompletionAt } = batch;
  const total = counts.total - counts.rejected;
  const ended = total - counts.queued - counts.dispatching;
  const when = expectedCompletionAt === null ? '' : `; last call expected at ${expectedCompletionAt}`;
  return { ended, total, words: countsOf(batch) + when };
}

function describeRequest(request: RequestDocument): Progress {
  const { status, position } = request;
  const hasEnded = status !== 'queued' && status !== 'dispatching';
  const place = position === undefined ? '' : `, position ${position}`;
  return { ended: hasEnded ? 1 : 0, total: 1, words: `${status}${place}: ${outcomeOf(request)}` };
}
