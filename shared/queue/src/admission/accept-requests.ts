import type { RedisConnection } from '@diq/redis/connection.ts';
import { byName, isNamed, type NamedMachine } from '@diq/contracts/machine-name.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { ItemError } from '@diq/contracts/item-answer.ts';
import type { OperationResult } from '@diq/contracts/operations/profile.ts';
import { queueTagOf } from '@diq/contracts/queue-tag.ts';
import type { TraceContext } from '@diq/contracts/trace-context.ts';
import { chunksOf, createAcceptChunk } from './accept-chunk.ts';
import type { AcceptRules, NewRequest, Placement } from './accept-chunk.ts';
import type { BacklogBounds, SourceBound } from './backlog-reservation.ts';
import {
  openBatch,
  refusedInBatch,
  refuseInBatch,
  sealBatch,
  storedRefusal,
} from '../batches/batch-record.ts';
import type { RejectedItem } from '../batches/batch-record.ts';
import { tailOf } from '../batches/batch-tail.ts';
import { newRequest, type Retry } from './new-request.ts';
import { freshIds } from './request-ids.ts';
import { foundBy } from '../requests/correlation-digest.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import type { RequestIds } from './request-ids.ts';
import { byMachineAlone, defaultMaxJoined } from './sharing.ts';
import type { Sharing } from './sharing.ts';
import { createWake } from '../scheduling/wakes.ts';
import { createJobRepositioning } from '../scheduling/job-queue.ts';
import type { Job, JobQueue } from '../scheduling/job-queue.ts';

export type BatchEntry = InvestigationItem | RejectedItem;

export interface AcceptedRequest {
  id: string;
  /** Of a request that got a task of its own and was recorded alone: where it stands, 1 is next, if it still waits. */
  position?: number;
  /** The request whose task this one joined, or whose result it shares. */
  coalescedWith?: string;
  /** What it shares: it was started before, and the request is `started` already. */
  result?: OperationResult;
}

/** More have joined the call for a machine than one call can serve: this request was not recorded. */
export class TooManyJoinedError extends Error {
  constructor() {
    super(tooManyJoined.message);
    this.name = 'TooManyJoinedError';
  }
}

/** The error of an item of a batch that was refused for this. */
export const tooManyJoined: ItemError = {
  code: 'too_many_joined',
  message:
    'As many requests wait for this machine as one call can serve, or as many of yours as may. Ask again when it was made.',
  errors: [],
};

/** What became of a retry: `too_many_joined` and `already_retried` were not recorded. */
export type RetryOutcome = 'accepted' | 'coalesced' | 'too_many_joined' | 'already_retried';

/** What is recorded with all requests of one POST. */
export interface Submission {
  /** When it arrived. */
  nowMs: number;
  /** Those that it records under, the same for each attempt at one POST; without them it gets new ones. */
  ids?: RequestIds | undefined;
  /** Who asked, by the name of the credential. A request without a source is charged to its caller alone. */
  caller?: string | undefined;
  /** Kept with each request and passed on with its call. */
  trace?: TraceContext | undefined;
  /** How many of the source that all of them have may wait. Held against what waits where room is kept for them. */
  ofSource?: SourceBound | undefined;
}

export interface AcceptedBatch {
  batchId: string;
  /** One answer per entry: `undefined` for one that was rejected, before or now. */
  accepted: (AcceptedRequest | undefined)[];
  /** Entries that were rejected now, by their indexes: too many have joined the call for their machine. */
  tooManyJoined: number[];
}

/** `retentionMs`: how long settled requests and completed batches can be read. */
export interface RequestIntakeOptions
  extends Pick<AcceptRules, 'retentionMs'>, Partial<Omit<AcceptRules, 'retentionMs'>> {
  redis: RedisConnection;
  keySpace: string;
  jobs: JobQueue;
  /** Gives each request its place in the order of its machine, where the operation has one. */
  enterOrder?: EnterOrder | undefined;
}

/** @returns a place for each item, in the same order */
export type EnterOrder = (items: readonly InvestigationItem[]) => Promise<readonly string[]>;

export { defaultMaxJoined } from './sharing.ts';
/** So that no caller alone keeps others from a call. */
export const defaultMaxJoinedOfCaller = 1_000;

export type RequestIntake = ReturnType<typeof createRequestIntake>;

export function createRequestIntake({
  redis,
  keySpace,
  jobs,
  retentionMs,
  order = defaultOrderRules,
  reuseWindowMs = 0,
  maxJoined = defaultMaxJoined,
  maxJoinedOfCaller = defaultMaxJoinedOfCaller,
  sharing = byMachineAlone,
  enterOrder = async () => [],
}: RequestIntakeOptions) {
  const queueTag = queueTagOf(keySpace);
  const rules: AcceptRules = { order, reuseWindowMs, sharing, maxJoined, maxJoinedOfCaller, retentionMs };
  const chunks = createAcceptChunk(redis, keySpace, rules);
  const repositionJobs = createJobRepositioning(redis, keySpace, jobs);
  const wake = createWake(redis, keySpace);
  /** They have no job that would wake a worker. */
  const wakeForNames = (requests: readonly NewRequest[]) => {
    if (requests.some(({ machineId }) => isNamed(machineId))) wake('work');
  };

  async function place(
    requests: readonly NewRequest[],
    about: { batchId: string; nowMs: number; caller: string | undefined },
  ): Promise<Placement[]> {
    const placements: Placement[] = [];
    let adding = Promise.resolve();
    for (const chunk of chunksOf(requests)) {
      const placed = await chunks.accept({ ...about, requests: chunk });
      placements.push(...placed);
      // In order, one chunk after the other, while Redis records the next ones.
      adding = adding.then(() => jobs.add(jobsFor(chunk, placed)));
      // Awaited below; until then a failure has no other handler.
      adding.catch(() => {});
    }
    await adding;
    wakeForNames(requests);
    await repositionJobs(placements.filter(isPromoted));
    return placements;
  }

  return {
    /**
     * Records one request. Resolves when Redis has acknowledged request, task and job. Recorded again with the same
     * ids it is completed, not doubled, and answered the same way. Without `bounds` it is recorded however many wait.
     *
     * @throws TooManyJoinedError
     * @throws BacklogFullError
     * @throws StorageFullError
     */
    async acceptOne(
      item: InvestigationItem | Retry,
      submission: Submission & { bounds?: BacklogBounds | undefined },
    ): Promise<AcceptedRequest> {
      const { nowMs, ids = freshIds(queueTag), caller, trace, bounds } = submission;
      const [place] = await enterOrder([item]);
      const request = newRequest(item, nowMs, { ids, index: 0, caller, trace, sharing, place });
      const placed = await chunks.accept({ requests: [request], nowMs, caller, bounds });
      wakeForNames([request]);
      const answer = accepted(request, placed[0], sharing);
      if (!answer) {
        await repositionJobs(placed.filter(isPromoted));
        throw new TooManyJoinedError();
      }
      const [job] = jobsFor([request], placed);
      const position = job && (await jobs.addOne(job));
      await repositionJobs(placed.filter(isPromoted));
      return position === undefined || 'coalescedWith' in answer ? answer : { ...answer, position };
    },
    /**
     * Records requests that repeat earlier ones, each once: what was retried before is left alone, so that this can be asked for
     * again. One answer per item.
     *
     * @throws BacklogFullError  @throws StorageFullError  with some hundred of them recorded, or none
     */
    async acceptRetries(
      retries: readonly Retry[],
      submission: Submission & { bounds?: BacklogBounds | undefined },
    ): Promise<RetryOutcome[]> {
      const { nowMs, ids = freshIds(queueTag), caller, trace, bounds } = submission;
      const places = await enterOrder(retries);
      const requests = retries.map((item, index) =>
        newRequest(item, nowMs, { ids, index, caller, trace, sharing, place: places[index] }),
      );
      const outcomes: RetryOutcome[] = [];
      for (const chunk of chunksOf(requests)) {
        const placed = await chunks.accept({ requests: chunk, nowMs, caller, bounds, isRetriedOnce: true });
        await jobs.add(jobsFor(chunk, placed));
        await repositionJobs(placed.filter(isPromoted));
        wakeForNames(chunk);
        outcomes.push(...placed.map(retryOutcome));
      }
      return outcomes;
    },
    /**
     * Records a batch, in pipelines. Resolves when Redis has acknowledged all of it, with one answer per entry:
     * `undefined` for a rejected one. If it rejects, part of the batch may be recorded: repeated with the same time and
     * `ids` it is completed; repeated with others, what is recorded is joined and no call is doubled. `callbackUrl` is
     * called when the whole batch is complete.
     */
    async acceptBatch(
      entries: readonly BatchEntry[],
      submission: Submission & { callbackUrl?: string | undefined },
    ): Promise<AcceptedBatch> {
      const { nowMs, ids = freshIds(queueTag), caller, callbackUrl, trace } = submission;
      const batchId = ids.batch;
      const wanted = entries.flatMap((entry) => (isRejected(entry) ? [] : [entry]));
      const places = (await enterOrder(wanted)).values();
      const requests = entries.map((entry, index) => {
        if (isRejected(entry)) return undefined;
        const place = places.next().value;
        return newRequest(entry, nowMs, { ids, index, caller, trace, sharing, place });
      });
      const newRequests = requests.filter((request) => request !== undefined);
      const items = entries.map((entry, i) =>
        isRejected(entry) ? storedRefusal(entry) : (requests[i]?.id ?? ''),
      );
      const rejected = entries.length - newRequests.length;
      const about = { batchId, nowMs, caller };
      const found = foundBy(newRequests);
      await openBatch(redis, keySpace, { ...about, items, rejected, retentionMs, found, callbackUrl });
      const placements = await place(newRequests, about);
      const placed = placements[Symbol.iterator]();
      // What a batch that was accepted before has no request of was deleted since, or was refused then.
      const isMissing = placements.some(({ outcome }) => outcome === 'deleted');
      const refused = isMissing ? await refusedInBatch(redis, keySpace, batchId) : new Set();
      const accepts = requests.map((request, index) => {
        const answer = request && accepted(request, placed.next().value, sharing);
        return refused.has(index) ? undefined : answer;
      });
      const refusals = refusalsOf(requests, accepts);
      await refuseInBatch(redis, keySpace, batchId, refusals);
      await sealBatch(redis, keySpace, { batchId, retentionMs, tail: tailOf(newRequests, placements) });
      return { batchId, accepted: accepts, tooManyJoined: refusals.map(({ rejected: { index } }) => index) };
    },
  };
}

function isPromoted({ outcome, jobPriority }: Placement): boolean {
  return outcome === 'promoted' || (outcome === 'full' && jobPriority > 0);
}

function isRejected(entry: BatchEntry): entry is RejectedItem {
  return 'rejected' in entry;
}

/** What the store itself refused, as it is kept with the batch. */
function refusalsOf(
  requests: readonly (NewRequest | undefined)[],
  answers: readonly (AcceptedRequest | undefined)[],
): RejectedItem[] {
  return requests.flatMap((request, index) =>
    request && !answers[index] ? [{ rejected: { index, ...namingIn(request), error: tooManyJoined } }] : [],
  );
}

/** As it was asked for. */
function namingIn({ machineId }: NewRequest): NamedMachine {
  if (!isNamed(machineId)) return { machineId };
  const name = machineId.slice(machineId.indexOf('=') + 1);
  return machineId.startsWith(byName.machineName) ? { machineName: name } : { aadDeviceId: name };
}

function accepted(
  request: NewRequest,
  placement: Placement | undefined,
  { resultKind }: Sharing,
): AcceptedRequest | undefined {
  if (!placement) throw new Error('the store answered for fewer requests than it was given');
  const { outcome, joined, resultId } = placement;
  if (outcome === 'full') return undefined;
  return {
    id: request.id,
    ...(joined === undefined ? {} : { coalescedWith: joined }),
    ...(resultId === undefined ? {} : { result: { kind: resultKind, id: resultId } }),
  };
}

function retryOutcome({ outcome, joined }: Placement): RetryOutcome {
  if (outcome === 'full') return 'too_many_joined';
  if (outcome === 'retried' || outcome === 'deleted') return 'already_retried';
  return joined === undefined ? 'accepted' : 'coalesced';
}

/** Those of these outcomes that have no task that waits. */
const withoutJob: ReadonlySet<Placement['outcome']> = new Set(['reused', 'full', 'deleted', 'retried']);

/** One job per task. A joined task gets its job again: if an earlier attempt failed to, this repairs it. */
function jobsFor(requests: readonly NewRequest[], placements: readonly Placement[]): Job[] {
  const byTask = new Map<string, Job>();
  for (const [i, { outcome, taskId, jobPriority }] of placements.entries()) {
    // A task whose machine is not known yet has no place among those that can be called.
    if (withoutJob.has(outcome) || isNamed(requests[i]?.machineId ?? '')) continue;
    byTask.set(taskId, { taskId, jobPriority });
  }
  return [...byTask.values()];
}
