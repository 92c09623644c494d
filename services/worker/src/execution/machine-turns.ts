import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { operationNames, profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { keyAtPlace } from '@diq/queue/admission/sharing.ts';
import {
  createMachineOrder,
  enteredAtMs,
  settleMs as usualSettleMs,
  type PlacedAct,
} from '@diq/queue/machine-order/machine-order.ts';
import { createJobRepositioning, type JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createBlockedTasks, type BlockedTasks } from '@diq/queue/tasks/blocked-tasks.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';
import { serverTimeMs } from '@diq/redis/ask-owner.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { createTurnPromotion } from './turn-promotion.ts';

export interface MachineTurnsOptions {
  redis: RedisConnection;
  tenantId: string;
  operation: OperationName;
  keySpace: string;
  jobs: Pick<JobQueue, 'add' | 'setJobPriorities'>;
  /** Whether this queue is in the settings. */
  isServed: (keySpace: string) => boolean;
  /** Whether the ends of results are seen; without it the next one goes after the answer to the call before. By default they are. */
  followsResults?: boolean;
  /** For so long a place may belong to a request that is still to be recorded. */
  settleMs?: number;
  /** Of the queues in which tasks are promoted. */
  onQueueError?: (error: Error) => void;
  /** One that is blocked is not looked at again within this time, by whichever worker. */
  betweenLooksMs?: number;
}

export interface MachineTurns {
  /** Whether the task may act now: nothing that was accepted before it still acts, or waits to act, on its machine, an equal act included. */
  isNext(task: Pick<Task, 'machineId' | 'turn'>): Promise<boolean>;
  /** Takes a task from the queue until it is its turn. */
  block(taskId: string): Promise<unknown>;
  /** Tasks that are out of the queue until then. */
  readonly blocked: Pick<BlockedTasks, 'count' | 'areBlocked'>;
  /**
   * Puts tasks back whose turn has come, of those that were looked at longest ago, and makes what stands before the others as
   * urgent as they are.
   */
  unblockSome(): Promise<void>;
  close(): Promise<void>;
}

const perRound = 100;
const usualBetweenLooksMs = 1_000;
/** Acts that are over, one behind the other on a machine, passed in one look. */
const mostPassed = 100;

/** Of an operation that may overtake any other. */
const always: MachineTurns = {
  isNext: () => Promise.resolve(true),
  block: () => Promise.resolve(),
  blocked: {
    count: () => Promise.resolve(0),
    areBlocked: (taskIds) => Promise.resolve(taskIds.map(() => false)),
  },
  unblockSome: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/**
 * Whose turn it is on a machine. What stands first there is over when its task has ended and its result, if it has one, is not
 * followed any more. That is asked when another one wants to go: so nothing must be reported, and nothing that is lost keeps a
 * machine for ever.
 */
export function createMachineTurns(options: MachineTurnsOptions): MachineTurns {
  const { redis, tenantId, operation, keySpace, jobs, isServed } = options;
  const { settleMs = usualSettleMs, betweenLooksMs = usualBetweenLooksMs, followsResults = true } = options;
  const { order: name } = profileOf(operation);
  if (name === undefined) return always;
  const order = createMachineOrder(redis, tenantId, name);
  const blocked = createBlockedTasks(redis, keySpace);
  const repositionJobs = createJobRepositioning(redis, keySpace, jobs);
  const { onQueueError = () => undefined } = options;
  const promotion = createTurnPromotion({ ...options, order, onQueueError });

  async function mayGo(acts: readonly PlacedAct[]): Promise<boolean[]> {
    let first = await order.firstOf(acts);
    for (let passed = 0; passed < mostPassed; passed += 1) {
      const before = first.filter(({ place }, i) => place !== acts[i]?.place);
      // Of one machine many may wait.
      const each = new Map(before.map((act) => [act.place, act]));
      const freed = await Promise.all([...each.values()].map((act) => leaveIfOver(act)));
      if (!freed.includes(true)) break;
      first = await order.firstOf(acts);
    }
    const isFirst = acts.map((act, i) => act.place === first[i]?.place);
    return Promise.all(acts.map(async (act, i) => isFirst[i] === true && !(await runsAlready(act))));
  }

  /** What was asked for at the same place before, and called: an equal act, on which nothing contrary followed. */
  async function runsAlready({ key, place }: PlacedAct): Promise<boolean> {
    if (!followsResults) return false;
    const { machineRecent, results } = storeKeys(keySpace);
    const task = startedTask(await redis.get(machineRecent(keyAtPlace(key, place))));
    return task !== undefined && (await redis.zscore(results, task)) !== null;
  }

  async function leaveIfOver(act: PlacedAct): Promise<boolean> {
    return (await isOver(act)) && (await order.leave(act));
  }

  /** Another queue's, as a rule. */
  async function isOver(act: PlacedAct): Promise<boolean> {
    const other = operationNames.find((one) => one === act.operation);
    // Taken out of the software: no call is made for it.
    if (other === undefined) return true;
    const space = keySpaceOf({ tenantId, operation: other });
    const keys = storeKeys(space);
    const key = keyAtPlace(act.key, act.place);
    const open = await redis.hget(keys.machines, key);
    // A task that waits in a queue taken out of the settings is not called. Called after all, it goes behind all others.
    if (open !== null) return !isServed(space) && (await redis.zscore(keys.waiting, open)) !== null;
    const task = startedTask(await redis.get(keys.machineRecent(key)));
    if (task !== undefined) return !followsResults || (await redis.zscore(keys.results, task)) === null;
    // Recorded lately, and neither open nor started any more.
    if ((await redis.exists(keys.machinePlaced(key))) === 1) return true;
    return (await serverTimeMs(redis, order.keySpace)) - enteredAtMs(act) > settleMs;
  }

  return {
    async isNext({ machineId, turn }) {
      if (!turn) return true;
      const [is = false] = await mayGo([{ machineId, operation, ...turn }]);
      return is;
    },
    block: blocked.block,
    blocked,
    async unblockSome() {
      const tasks = await blocked.list(perRound, betweenLooksMs);
      if (tasks.length === 0) return;
      const may = await mayGo(tasks.map((task) => ({ ...task, operation })));
      const free = tasks.filter((_, i) => may[i]);
      await blocked.unblock(free.map(({ taskId }) => taskId));
      await jobs.add(free);
      // One that was promoted before it had its job again: that had no job to move.
      await repositionJobs(await blocked.movedSince(free));
      await promotion.promoteAheadOf(tasks.filter((_, i) => !may[i]));
    },
    close: promotion.close,
  };
}

/** Of what was started last at a place; see `move-task.lua`. */
function startedTask(recent: string | null): string | undefined {
  return recent === null ? undefined : (JSON.parse(recent) as { task?: string }).task;
}
