import type { OperationName } from '@diq/contracts/operations/index.ts';
import type { UnknownReason } from '@diq/contracts/result-outcome.ts';
import type { OpenResult, ResultEnd, ResultNote, ResultStore } from '@diq/queue/results/result-store.ts';
import type { ReadTurn } from '@diq/quota/reads/read-turn.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import type { DefenderReader } from '../defender/defender-reader.ts';
import type { QueueMetrics } from '../observability/metrics.ts';
import { readEveryMs, usualEveryMs } from './read-schedule.ts';
import { readResults, type ListOf, type ResultReading } from './read-results.ts';

/** A queue whose results are followed. */
export interface FollowedQueue {
  readonly operation: OperationName;
  readonly list: ListOf;
  readonly results: ResultStore;
  readonly metrics: Pick<QueueMetrics, 'resultsEnded'>;
  readonly logger: Pick<Logger, 'info'>;
}

export interface FollowUpOptions {
  /** Its reads can be left out: they leave a part of the budget to calls that are looked up. */
  reader: DefenderReader;
  tokens: TokenProvider;
  /** Of all workers one reads at a time for the tenant. */
  turn: ReadTurn;
  /** From one read for a young result to the next; see `readEveryMs`. */
  shortestEveryMs?: number;
}

export type FollowUp = ReturnType<typeof createFollowUp>;

/** What is due within this part of the shortest interval is read along: the results of all queues fall into step. */
const alongShare = 1 / 3;
const mostOfQueue = 2_000;
/** Ends stored at the same time. */
const endsTogether = 25;
/** Without a read of the budget a result is not given up before so long after its time. */
const pacedMs = 3_600_000;
const usualRetryMs = 30_000;

interface Due {
  readonly queue: FollowedQueue;
  readonly result: OpenResult;
  readonly nowMs: number;
}

/**
 * Follows the results of all queues of a tenant to their ends: one read of a list for all that are due, whichever queue they
 * are of, by whichever worker's turn it is.
 */
export function createFollowUp(options: FollowUpOptions) {
  const { turn, shortestEveryMs = usualEveryMs } = options;
  const queues = new Set<FollowedQueue>();
  let isClosed = false;
  let underWay: Promise<void> | undefined;

  async function check(): Promise<void> {
    const taken = await turn.take();
    if (!taken) return;
    try {
      const due = await readDue();
      for (const one of due.filter(({ result }) => result.outcome)) await endRest(one);
      for (const list of ['machineActions', 'investigations'] as const) {
        const ofList = due.filter(({ queue, result }) => queue.list === list && !result.outcome);
        if (ofList.length > 0 && !isClosed) await checkList(list, ofList);
      }
    } finally {
      await taken.release();
    }
  }

  /** A queue that cannot be asked keeps no other from being followed. */
  async function readDue(): Promise<Due[]> {
    const found = await Promise.allSettled(
      [...queues].map(async (queue) => {
        const { nowMs, results } = await queue.results.due(shortestEveryMs * alongShare, mostOfQueue);
        return results.map((result) => ({ queue, result, nowMs }));
      }),
    );
    const due = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    const failed = found.find((one) => one.status === 'rejected');
    if (due.length === 0 && failed) throw failed.reason;
    return due;
  }

  async function checkList(list: ListOf, due: readonly Due[]): Promise<void> {
    const readings = await readResults(
      list,
      due.map(({ result }) => result),
      options,
    );
    // This process ends: the next one reads again.
    if (isClosed) return;
    const ends: (() => Promise<void>)[] = [];
    const notes = new Map<FollowedQueue, ResultNote[]>();
    for (const one of due) {
      const reading = readings.get(one.result) ?? ({ kind: 'unreadable', reason: 'next_time' } as const);
      const end = endOf(one, reading);
      if (end) ends.push(() => store(one, end));
      else notes.set(one.queue, [...(notes.get(one.queue) ?? []), noteOf(one, reading)]);
    }
    for (let i = 0; i < ends.length; i += endsTogether)
      await Promise.all(ends.slice(i, i + endsTogether).map((end) => end()));
    await Promise.all([...notes].map(([queue, some]) => queue.results.note(some)));
  }

  function noteOf({ result, nowMs }: Due, reading: ResultReading): ResultNote {
    const { taskId, untilMs } = result;
    const seen = reading.kind === 'seen' ? reading.seen : undefined;
    const ageMs = nowMs - (seen?.startedAtMs ?? result.startedAtMs ?? result.calledAtMs);
    const retryMs = reading.kind === 'unreadable' ? (reading.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(readEveryMs(ageMs, shortestEveryMs), retryMs);
    // At its time it is read once more.
    const nextReadAtMs =
      nowMs < untilMs ? Math.min(nowMs + waitMs, untilMs) : nowMs + Math.max(retryMs, usualRetryMs);
    return { taskId, nextReadAtMs, wasRead: reading.kind !== 'unreadable', seen };
  }

  return {
    /** Follows the results of this queue from now on. @returns what ends that */
    add(queue: FollowedQueue): () => void {
      queues.add(queue);
      return () => void queues.delete(queue);
    },
    /** Reads Defender for all results that are due, in all queues of the tenant. Callers share the read under way. */
    check(): Promise<void> {
      if (isClosed) return Promise.resolve();
      underWay ??= check().finally(() => (underWay = undefined));
      return underWay;
    },
    /** Begins nothing more; a read under way ends with its reader. */
    async close(): Promise<void> {
      isClosed = true;
      await underWay?.catch(() => undefined);
    },
  };
}

async function store({ queue, result }: Due, end: ResultEnd): Promise<void> {
  const { ended, requests } = await queue.results.end(result.taskId, end);
  if (!ended) return;
  const { outcome, state, why } = end;
  queue.metrics.resultsEnded.inc({ outcome });
  const id = queue.list === 'investigations' ? { investigationId: result.id } : { actionId: result.id };
  const { requestId, taskId, machineId } = result;
  queue.logger.info({ requestId, taskId, machineId, ...id, outcome, state, why, requests }, 'result ended');
}

/** The end that is to be stored, `undefined` while it runs. */
function endOf({ result, nowMs }: Due, reading: ResultReading): ResultEnd | undefined {
  if (reading.kind === 'seen' && reading.seen.end) {
    const { state, startedAtMs, end } = reading.seen;
    return { ...end, state, startedAtMs, wasRead: true };
  }
  const wasRead = reading.kind !== 'unreadable';
  const isPaced = reading.kind === 'unreadable' && ['paced', 'next_time', 'closed'].includes(reading.reason);
  if (nowMs < result.untilMs + (isPaced ? pacedMs : 0)) return undefined;
  const state = reading.kind === 'seen' ? reading.seen.state : result.state;
  const why = wasRead ? whyNoEnd(reading) : 'not_readable';
  return { outcome: 'unknown', why, state, startedAtMs: result.startedAtMs, wasRead };
}

function whyNoEnd(reading: ResultReading): UnknownReason {
  if (reading.kind !== 'not_shown') return 'not_ended';
  return reading.elsewhere === true ? 'other_machine' : 'not_shown';
}

/** What another worker began to end. */
async function endRest({ queue, result: { taskId, outcome } }: Due): Promise<void> {
  if (outcome) await queue.results.end(taskId, { outcome, wasRead: false });
}
