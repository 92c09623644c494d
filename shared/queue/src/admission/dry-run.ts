import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { chunkSize, createAcceptChunk } from './accept-chunk.ts';
import type { AcceptRules, DryRunState, NewRequest, Placement } from './accept-chunk.ts';
import type { EnterOrder } from './accept-requests.ts';
import { defaultMaxJoined, defaultMaxJoinedOfCaller } from './accept-requests.ts';
import { newRequest } from './new-request.ts';
import type { OperationResult } from '@diq/contracts/operations/profile.ts';
import { byMachineAlone } from './sharing.ts';
import type { Sharing } from './sharing.ts';
import { queueTagOf } from '@diq/contracts/queue-tag.ts';
import { freshIds } from './request-ids.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { repliesOf } from '../scheduling/job-queue.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';
import { storeKeys } from '../store-keys.ts';

/** What would become of an item; `position`: 1 is next, `undefined` where its task has no place in the order. */
export type Place =
  /** It would start too late. */
  | { kind: 'refused'; position: number | undefined }
  /** Too many wait for its machine. */
  | { kind: 'full'; position: undefined }
  /** It shares what was started before, for the request `with`. */
  | { kind: 'reused'; with: string; result: OperationResult; position: undefined }
  | { kind: 'own'; position: number | undefined }
  /** It shares a task: an open one, by its first request, or that of an item before it. */
  | { kind: 'joins'; joins: { first: string } | { index: number }; position: number | undefined };

/**
 * Is asked for each item by the place that it would get, the most urgent first: one that is refused takes no other's
 * place.
 */
export type IsRefused = (index: number, position: number | undefined) => boolean;

type DryRunRules = Partial<
  Pick<AcceptRules, 'order' | 'reuseWindowMs' | 'sharing' | 'maxJoined' | 'maxJoinedOfCaller'>
> & {
  /** The places that items would get in the order of their machines, where the operation has one. */
  lookAtOrder?: EnterOrder | undefined;
};

export type DryRun = ReturnType<typeof createDryRun>;

/** By the script that accepts requests, which stops before it writes. */
export function createDryRun(
  redis: RedisConnection,
  keySpace: string,
  jobs: Pick<JobQueue, 'positions' | 'countUpTo' | 'countReady'>,
  {
    order = defaultOrderRules,
    reuseWindowMs = 0,
    maxJoined = defaultMaxJoined,
    maxJoinedOfCaller = defaultMaxJoinedOfCaller,
    sharing = byMachineAlone,
    lookAtOrder = async () => [],
  }: DryRunRules = {},
) {
  const rules = { order, reuseWindowMs, sharing, maxJoined, maxJoinedOfCaller, retentionMs: 0 };
  const chunks = createAcceptChunk(redis, keySpace, rules);
  const keys = storeKeys(keySpace);

  async function tryOut(
    requests: readonly NewRequest[],
    about: { nowMs: number; caller: string | undefined },
    isRefused: IsRefused,
  ) {
    const state: DryRunState = { order: undefined, open: new Map() };
    const placements: Placement[] = [];
    for (let i = 0; i < requests.length; i += chunkSize)
      placements.push(
        ...(await chunks.dryRun({ ...about, requests: requests.slice(i, i + chunkSize) }, state)),
      );
    const opened = new Set(requests.map(({ newTaskId }) => newTaskId));
    const [waiting, claimed] = [new Set<string>(), new Set<string>()];
    placements.forEach(({ taskId, outcome, jobPriority }, i) => {
      if (outcome === 'reused' || jobPriority === 0 || opened.has(taskId)) return;
      const { state: taskState } = state.open.get(requests[i]?.key ?? '') ?? {};
      (taskState === 'waiting' ? waiting : claimed).add(taskId);
    });
    const jobPriorities = [
      ...new Set(placements.flatMap(({ jobPriority }) => (jobPriority > 0 ? [jobPriority] : []))),
    ];
    const [positions, ahead] = await Promise.all([
      jobs.positions([...waiting]),
      jobs.countUpTo(jobPriorities),
    ]);
    const joined = new Map([
      ...[...claimed].map((taskId) => [taskId, undefined] as const),
      ...[...waiting].map((taskId, i) => [taskId, positions[i]] as const),
    ]);
    const aheadOf = new Map(jobPriorities.map((jobPriority, i) => [jobPriority, ahead[i] ?? 0]));
    return { placements, ...stand(placements, joined, aheadOf, isRefused) };
  }

  return {
    /**
     * Where each item would stand if all were accepted now, with those before it in the same POST counted. Writes nothing,
     * and may be out of date by the time they are accepted.
     *
     * @throws OrderScaleError
     */
    async place(
      items: readonly InvestigationItem[],
      about: { nowMs: number; caller: string | undefined },
      isRefused: IsRefused = () => false,
    ): Promise<Place[]> {
      const ids = freshIds(queueTagOf(keySpace));
      const places = await lookAtOrder(items);
      const all = items.map((item, index) => {
        const own = { ids, index, caller: about.caller, trace: undefined, sharing, place: places[index] };
        return { ...newRequest(item, about.nowMs, own), doc: '' };
      });
      let tried = await tryOut(all, about, isRefused);
      const { refused } = tried;
      const indexes = [...all.keys()].filter((index) => !refused.has(index));
      // What is refused is charged to no flow when the others are accepted.
      if (refused.size > 0) {
        const others = indexes.flatMap((index) => all[index] ?? []);
        tried = await tryOut(others, about, () => false);
      }
      const indexOf = new Map(all.map(({ id }, index) => [id, index]));
      const found: Place[] = all.map((_, index) => ({ kind: 'refused', position: refused.get(index) }));
      indexes.forEach((index, i) => {
        const placement = tried.placements[i];
        if (placement) found[index] = placeOf(placement, tried.positions, indexOf, sharing);
      });
      return found;
    },
    /** How many jobs wait: with those that are added, no place can be behind that. */
    countWaiting: (): Promise<number> => jobs.countReady(),
    /** Whether a request is recorded under each of these ids. */
    async areRecorded(requestIds: readonly string[]): Promise<boolean[]> {
      const pipeline = plainPipeline(redis);
      for (const id of requestIds) pipeline.exists(keys.request(id));
      return (await repliesOf(pipeline)).map((found) => found === 1);
    },
  };
}

function placeOf(
  { outcome, taskId, joined: first, resultId = '' }: Placement,
  positions: ReadonlyMap<string, number | undefined>,
  indexOf: ReadonlyMap<string, number>,
  { resultKind }: Sharing,
): Place {
  if (outcome === 'full') return { kind: 'full', position: undefined };
  if (outcome === 'reused')
    return {
      kind: 'reused',
      with: first ?? '',
      result: { kind: resultKind, id: resultId },
      position: undefined,
    };
  const position = positions.get(taskId);
  if (first === undefined) return { kind: 'own', position };
  const index = indexOf.get(first);
  return { kind: 'joins', joins: index === undefined ? { first } : { index }, position };
}

/**
 * Where tasks stand in BullMQ's order, by job priority and then as they come, when the placed requests are added. Jobs of promoted
 * tasks follow when all are added, so behind them within a job priority.
 *
 * @param joined the present places of the tasks that were open before
 * @param ahead by job priority, how many jobs of this or a more urgent job priority wait
 */
function stand(
  placements: readonly Placement[],
  joined: ReadonlyMap<string, number | undefined>,
  ahead: ReadonlyMap<number, number>,
  isRefused: IsRefused,
) {
  const positions = new Map<string, number | undefined>();
  const refused = new Map<number, number | undefined>();
  /** Job priorities of new tasks and of promoted ones, ascending as they come; former places of the latter, sorted. */
  const added: number[] = [];
  const promotedTo: number[] = [];
  const promotedFrom: number[] = [];

  function positionFor({ taskId, jobPriority }: Placement, former: number | undefined, isPromoted: boolean) {
    if (positions.has(taskId)) return positions.get(taskId);
    if (joined.has(taskId) && former === undefined) return undefined;
    if (former !== undefined && !isPromoted) {
      const came = countBelow(added, jobPriority) + countBelow(promotedTo, jobPriority);
      return former + came - countBelow(promotedFrom, former);
    }
    const before = ahead.get(jobPriority) ?? 0;
    const cameFromBehind = promotedFrom.length - countBelow(promotedFrom, before + 1);
    return before + added.length + cameFromBehind + 1;
  }

  const byUrgency = placements
    .map((placement, index) => ({ placement, index }))
    .filter(({ placement }) => placement.jobPriority > 0)
    .toSorted(
      ({ placement: a, index: i }, { placement: b, index: j }) =>
        a.jobPriority - b.jobPriority || promotes(a) - promotes(b) || i - j,
    );
  for (const { placement, index } of byUrgency) {
    const { taskId, jobPriority, outcome } = placement;
    const former = joined.get(taskId);
    const isPromoted = former !== undefined && promotes(placement) === 1;
    const position = positionFor(placement, former, isPromoted);
    if (outcome !== 'full' && isRefused(index, position)) refused.set(index, position);
    else if (!positions.has(taskId)) {
      positions.set(taskId, position);
      if (!joined.has(taskId)) added.push(jobPriority);
      else if (isPromoted && former !== undefined) {
        promotedTo.push(jobPriority);
        promotedFrom.splice(countBelow(promotedFrom, former), 0, former);
      }
    }
  }
  return { positions, refused };
}

/** 1 for one whose task has a better place than its job, else 0. One that is full has a job priority only then. */
function promotes({ outcome }: Placement): number {
  return Number(outcome === 'promoted' || outcome === 'full');
}

/** How many of these ascending numbers are less than this one. */
function countBelow(ascending: readonly number[], bound: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? Infinity) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
