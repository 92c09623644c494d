import { serverTimeMs } from '@diq/redis/ask-owner.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import { isNamed } from '@diq/contracts/machine-name.ts';
import { priorities } from '@diq/contracts/priority.ts';
import type { OperationResult } from '@diq/contracts/operations/profile.ts';
import { fieldsOf } from '@diq/contracts/operations/result-fields.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { RequestStatus, TerminalStatus } from '@diq/contracts/status.ts';
import { loadScript } from '@diq/redis/script.ts';
import { findTask } from './find-task.ts';
import type { UnresolvedOutcome } from './find-task.ts';
import { taskMoves, taskStates } from './task-states.ts';
import type { TaskMove, TaskState } from './task-states.ts';
import { movingKeys, storeKeys } from '../store-keys.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

export { unresolvedCauses } from './find-task.ts';
export type { Task, UnresolvedOutcome } from './find-task.ts';

/** The end of the requests of a task when it is settled. */
export interface Settlement {
  status: TerminalStatus;
  /** What the call started. */
  result?: OperationResult;
  /** The result covers the machine, but is not provably the one that was asked for. */
  attached?: boolean;
  error?: RequestError;
  /** Calls that end with this; those made for it before are added. Without effect where the call was looked up. */
  attempts: number;
}

export type Moved =
  { moved: true } | { moved: false; state: TaskState | 'missing'; callId: string | undefined };

/**
 * Requests that have a new status, at most 5,001 of one task; of several where their deadlines were reached. The
 * same status as before where a call's outcome is now looked up.
 */
export interface MovedRequests {
  requestIds: readonly string[];
  from: RequestStatus;
  status: RequestStatus;
  taskId?: string;
  /** The call that moved them. */
  callId?: string;
  investigationId?: string;
  actionId?: string;
  errorCode?: string;
}

/** The error of a request whose own deadline came before its call. */
export const deadlineError: RequestError = {
  code: 'deadline_reached',
  message: 'The time after which it must not be started was reached.',
};

const taskScript = (name: string) =>
  loadScript(new URL(`../lua/${name}.lua`, import.meta.url), { whenFull: true });
const moveScript = taskScript('move-task');
const expireScript = taskScript('expire');
const takeScript = taskScript('take-reconciling');
const rescheduleQueryScript = taskScript('reschedule-query');
const ids = z.array(z.string());
const moveReply = z.union([
  z
    .tuple([z.literal(1), ids, ids])
    .transform(([, served, expired]) => ({ answer: { moved: true } as Moved, served, expired })),
  z
    .tuple([z.literal(0), z.enum([...taskStates, 'missing']), z.string(), ids])
    .transform(([, state, owner, expired]) => ({
      answer: { moved: false, state, callId: owner === '' ? undefined : owner } as Moved,
      served: [],
      expired,
    })),
]);
const expireReply = z.tuple([ids, ids]).transform(([requestIds, ended]) => ({ requestIds, ended }));

const takeReply = z.tuple([z.string(), z.number()]);

/** What a move brings along. */
interface MoveContent {
  /** For each of the requests. */
  fields?: Record<string, string | number>;
  /** Calls that it counts; -1 for one that was counted and does not. */
  calls?: number;
  cause?: UnresolvedOutcome['cause'];
  firstQueryInMs?: number;
  beganAtMs?: number;
  look?: EndingLook;
}

/** Why a task needs no slot. */
export const slotSavings = ['machine_unknown', 'already_covered'] as const;

export type SlotSaving = (typeof slotSavings)[number];

/** A look ahead of a call that shows that none is needed, see `look-store.ts`. */
export interface EndingLook {
  lookId: string;
  /** Left out where it is not counted. */
  saving?: SlotSaving;
}

/** How the results of started calls are followed. */
export interface FollowRules {
  /** At most; see `followForMs`. */
  forMs: number;
  /** From the call's outcome until Defender is read for the first time. */
  firstReadInMs: number;
}

/** The end of a result has to be stored with its requests while these are kept. */
const followedShare = 0.9;

const deadlineReached = JSON.stringify(deadlineError);
const expiredPerScript = 250;
const expiry = { from: 'queued', status: 'expired', errorCode: deadlineError.code } as const;

/** The tasks' own state. Every move is one script: task, requests, batches, indexes and counts together. */
export type TaskStore = ReturnType<typeof createTaskStore>;

/**
 * `onMoved` is called for every request that a move or an expiry gave another status. Without `follow` results are not
 * followed.
 */
export function createTaskStore(
  redis: RedisConnection,
  keySpace: string,
  retentionMs: number,
  onMoved: (move: MovedRequests) => void = () => {},
  follow?: FollowRules,
) {
  const keys = storeKeys(keySpace);
  const followForMs = Math.floor(Math.min(follow?.forMs ?? 0, followedShare * retentionMs));
  const following = [followForMs, follow?.firstReadInMs ?? 0];
  const moveKeys = movingKeys(keySpace);

  async function move(
    { from, to, requests: status }: Required<TaskMove>,
    id: string,
    callId: string,
    { fields = {}, calls = 0, cause, firstQueryInMs = 0, beganAtMs, look }: MoveContent = {},
  ) {
    const about = [JSON.stringify(fields), calls, cause ?? '', firstQueryInMs];
    const times = [deadlineReached, beganAtMs ?? '', look?.lookId ?? '', look?.saving ?? ''];
    const what = [id, callId, from.join('|'), to, status];
    const args = [keySpace, retentionMs, ...what, ...about, ...times, ...following];
    const { answer, served, expired } = moveReply.parse(await moveScript(redis, moveKeys, args));
    tell({ ...expiry, requestIds: expired, taskId: id });
    const before = from[0] === 'waiting' ? 'queued' : 'dispatching';
    tell({ requestIds: served, from: before, status, taskId: id, ...factsOf(callId, fields) });
    return answer;
  }

  function tell(moved: MovedRequests): void {
    if (moved.requestIds.length > 0) onMoved(moved);
  }

  return {
    find: findTask(redis, keySpace),
    /** The most urgent class of its requests; `undefined` for an unknown task. */
    async classOf(id: string): Promise<Priority | undefined> {
      const found = await redis.hget(keys.task(id), 'priority');
      return priorities.find((priority) => priority === found);
    },
    /** The first of these tasks that is of this class; nothing is read while none of it waits. */
    async firstOf(
      priority: Priority,
      readIds: () => Promise<readonly string[]>,
    ): Promise<string | undefined> {
      if (Number((await redis.hget(keys.order, `waiting:${priority}`)) ?? 0) <= 0) return undefined;
      const ids = await readIds();
      const pipeline = plainPipeline(redis);
      for (const id of ids) pipeline.hget(keys.task(id), 'priority');
      const classes = ids.length > 0 ? await repliesOf(pipeline) : [];
      return ids.find((_, i) => classes[i] === priority);
    },
    /** The call in whose hands it is, also where the task cannot be read otherwise. */
    callOf: async (id: string): Promise<string | undefined> =>
      (await redis.hget(keys.task(id), 'call')) ?? undefined,
    /** The last gate before a call: from here on the task is in the hands of this call alone. */
    begin: (id: string, callId: string): Promise<Moved> => move(taskMoves.begin, id, callId),
    /** Into the hands of a call that began it before, which Redis has lost. `beganAtMs` is when its permit was spent. */
    resume: (id: string, callId: string, beganAtMs: number): Promise<Moved> =>
      move(taskMoves.begin, id, callId, { beganAtMs: Math.ceil(beganAtMs) }),
    /** Back to its place: what the call came to was looked up, and it is to be made again. */
    giveBack: (id: string, callId: string): Promise<Moved> => move(taskMoves.giveBack, id, callId),
    /**
     * Back to its place, by the worker that made the call: it never left, or was throttled or not allowed. Such a call is not counted, also
     * where another worker took it for lost meanwhile.
     */
    undo: (id: string, callId: string): Promise<Moved> => move(taskMoves.giveBack, id, callId, { calls: -1 }),
    /** What the call came to is to be looked up in Defender, for the first time after so many ms. */
    reconcile: (
      id: string,
      callId: string,
      { cause, error }: UnresolvedOutcome,
      firstQueryInMs: number,
    ): Promise<Moved> =>
      move(taskMoves.reconcile, id, callId, {
        fields: { error: JSON.stringify(error) },
        calls: 1,
        cause,
        firstQueryInMs,
      }),
    /** Stores the outcome of the call that began it, also while it is being looked up. */
    settle: (id: string, callId: string, settlement: Settlement): Promise<Moved> =>
      move({ ...taskMoves.settle, requests: settlement.status }, id, callId, contentOf(settlement)),
    /** Ends a task that still waits, without a call. */
    endWaiting: (id: string, settlement: Settlement): Promise<Moved> =>
      move({ ...taskMoves.endWaiting, requests: settlement.status }, id, '', contentOf(settlement)),
    /** The same by a look, which must still be the task's, and in time: else it stays as it is. */
    endLooked: (id: string, settlement: Settlement, look: EndingLook): Promise<Moved> =>
      move({ ...taskMoves.endWaiting, requests: settlement.status }, id, '', {
        ...contentOf(settlement),
        look,
      }),
    /**
     * Ends up to 250 queued requests whose own deadline was reached. Tells which, and the tasks that ended with them,
     * whose jobs can be taken out.
     */
    async expireDue(): Promise<{ requestIds: string[]; ended: string[] }> {
      const args = [keySpace, retentionMs, expiredPerScript, deadlineReached];
      const expired = expireReply.parse(await expireScript(redis, moveKeys, args));
      tell({ ...expiry, requestIds: expired.requestIds });
      return expired;
    },
    /** The task whose next look is due for the longest, for the caller alone for so long. Time of Redis' clock. */
    async takeDue(forMs: number): Promise<{ id: string | undefined; nowMs: number }> {
      const [id, nowMs] = takeReply.parse(await takeScript(redis, [keys.reconciling], [keySpace, forMs]));
      return { id: id === '' ? undefined : id, nowMs };
    },
    /** When Defender is asked next, on Redis' clock; false when this call is not looked up any more. */
    rescheduleQuery: async (id: string, callId: string, atMs: number): Promise<boolean> =>
      (await rescheduleQueryScript(redis, [keys.reconciling], [keySpace, id, callId, Math.ceil(atMs)])) === 1,
    /** Ids of results for the machine that requests were given within the last minute. */
    reportedOf: (machineId: string): Promise<string[]> => redis.smembers(keys.machineReported(machineId)),
    /** Tasks whose call began before this time and has no stored outcome, oldest first. */
    inFlightSince: (beforeMs: number, limit: number): Promise<string[]> =>
      redis.zrangebyscore(keys.inFlight, '-inf', `(${beforeMs}`, 'LIMIT', 0, limit),
    /** How many tasks wait for their call, for so long at least, and a page of them, oldest first. */
    async countWaiting(minAgeMs: number = 0): Promise<number> {
      if (minAgeMs === 0) return redis.zcard(keys.waiting);
      const nowMs = Math.floor(await serverTimeMs(redis, keys.waiting));
      return redis.zcount(keys.waiting, '-inf', nowMs - minAgeMs);
    },
    waitingPage: (offset: number, limit: number): Promise<string[]> =>
      redis.zrange(keys.waiting, offset, String(offset + limit - 1)),
    /** Tasks that wait for their machine to be known, and have no job meanwhile. */
    countUnresolved: (): Promise<number> => redis.zcard(keys.unresolved),
    /** Tasks by id, for many at once; unknown ones are left out, and those that have no job before their machine is known. */
    async jobPrioritiesOf(
      ids: readonly string[],
    ): Promise<{ taskId: string; machineId: string; jobPriority: number }[]> {
      const pipeline = plainPipeline(redis);
      for (const id of ids) pipeline.hmget(keys.task(id), 'machine', 'jobPriority');
      const rows = z
        .array(z.tuple([z.string().nullable(), z.string().nullable()]))
        .parse(await repliesOf(pipeline));
      return rows.flatMap(([machineId, jobPriority], i) =>
        machineId === null || isNamed(machineId)
          ? []
          : [{ taskId: ids[i] ?? '', machineId, jobPriority: Number(jobPriority) }],
      );
    },
  };
}

function factsOf(callId: string, { investigationId, actionId, error }: Record<string, string | number>) {
  return {
    ...(callId === '' ? {} : { callId }),
    ...(investigationId === undefined ? {} : { investigationId: String(investigationId) }),
    ...(actionId === undefined ? {} : { actionId: String(actionId) }),
    ...(error === undefined ? {} : { errorCode: errorCode.parse(JSON.parse(String(error))).code }),
  };
}

const errorCode = z.object({ code: z.string() });

function contentOf({ result, attached, error, attempts }: Settlement): MoveContent {
  return {
    calls: attempts,
    fields: {
      ...fieldsOf(result),
      ...(attached === true ? { attached: 1 } : {}),
      ...(error === undefined ? {} : { error: JSON.stringify(error) }),
    },
  };
}
