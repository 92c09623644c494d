import type { BulkCancel, BulkRetry } from './inputs.ts';
import type { requestCalls } from './request-calls.ts';
import type { CallOptions } from './transport.ts';

type Requests = Pick<ReturnType<typeof requestCalls>, 'cancelRequests' | 'retryRequests'>;

/** Bulk actions to their ends: each answer on the way. */
export function bulkCalls({ cancelRequests, retryRequests }: Requests) {
  return {
    cancelAll: (filter: BulkCancel, options: CallOptions = {}) =>
      untilNoneRemains((cursor) => cancelRequests({ ...filter, cursor }, options)),
    /** Ends early where no more is accepted: the last answer has `stoppedBy`. */
    retryAll: (filter: BulkRetry, options: CallOptions = {}) =>
      untilNoneRemains((cursor) => retryRequests({ ...filter, cursor }, options)),
  };
}

interface Part {
  remaining: boolean;
  cursor?: string | undefined;
  stoppedBy?: string | undefined;
}

async function* untilNoneRemains<One extends Part>(
  ask: (cursor: string | undefined) => Promise<One>,
): AsyncGenerator<One> {
  let part: One | undefined;
  do {
    part = await ask(part?.cursor);
    yield part;
  } while (part.remaining && part.stoppedBy === undefined);
}
