import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { operationNames } from '@diq/contracts/operations/index.ts';
import { priorities } from '@diq/contracts/priority.ts';
import { keyAtPlace } from '@diq/queue/admission/sharing.ts';
import type { MachineOrder } from '@diq/queue/machine-order/machine-order.ts';
import { createPromoteAhead, type Ahead } from '@diq/queue/machine-order/promote-ahead.ts';
import { claimLayout, LayoutError } from '@diq/queue/layout.ts';
import { createJobQueue, type JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { flowOf } from '@diq/queue/scheduling/order.ts';
import { createQueueOrder } from '@diq/queue/scheduling/queue-order.ts';
import type { BlockedTask } from '@diq/queue/tasks/blocked-tasks.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';

/** Of those ahead of one task. The others follow when these have ended. */
const mostAhead = 8;

export interface TurnPromotionOptions {
  redis: RedisConnection;
  tenantId: string;
  operation: string;
  keySpace: string;
  order: Pick<MachineOrder, 'aheadOf'>;
  isServed: (keySpace: string) => boolean;
  onQueueError: (error: Error) => void;
}

/**
 * Priority inheritance: what stands before a blocked task on its machine and waits for a slot becomes as urgent as that one. It is
 * in another queue as a rule, so nothing makes the two one step: it is done again at each look, and changes nothing the second time.
 */
export function createTurnPromotion(options: TurnPromotionOptions) {
  const { redis, tenantId, operation, keySpace, order, isServed, onQueueError } = options;
  const standings = createQueueOrder(redis, keySpace);
  const queues = new Map<string, { jobs: JobQueue; promote: ReturnType<typeof createPromoteAhead> }>();

  /** A queue is opened when something is first promoted in it. */
  function queueOf(space: string) {
    const known = queues.get(space);
    if (known) return known;
    const jobs = createJobQueue(redis, space, onQueueError);
    const opened = { jobs, promote: createPromoteAhead(redis, space, jobs) };
    queues.set(space, opened);
    return opened;
  }

  /** What those behind hand on, by the queue of the one that gets it. */
  async function handedOn(blocked: readonly BlockedTask[]): Promise<Map<string, Ahead[]>> {
    // Nothing is less urgent than the last class. The most urgent one comes first: each step up uses up a turn of its flow.
    const urgent = blocked
      .flatMap(({ standing, ...task }) =>
        standing === undefined || standing.priority === 'low' ? [] : [{ ...task, standing }],
      )
      .toSorted(
        ({ standing: one }, { standing: other }) =>
          priorities.indexOf(one.priority) - priorities.indexOf(other.priority) ||
          one.virtualStartMs - other.virtualStartMs,
      );
    const ahead = await order.aheadOf(
      urgent.map((task) => ({ ...task, operation })),
      mostAhead,
    );
    const behind = urgent.flatMap((task, i) => {
      const acts = ahead[i] ?? [];
      return acts.length === 0 ? [] : [{ ...task, acts }];
    });
    const first = await standings.firstOfEach(behind.map(({ standing }) => standing.first));
    const bySpace = new Map<string, Ahead[]>();
    for (const [i, { standing, acts }] of behind.entries()) {
      const { caller, source } = first[i] ?? {};
      const { priority, virtualStartMs, flowCaller, raisedBy } = standing;
      const isOwn = flowCaller === undefined || flowCaller === caller;
      const flow = flowOf(isOwn ? source : undefined, flowCaller ?? caller);
      const requestId = raisedBy ?? standing.first;
      for (const { operation: other, key, place } of acts) {
        const known = operationNames.find((one) => one === other);
        const space = known && keySpaceOf({ tenantId, operation: known });
        if (space === undefined || !isServed(space)) continue;
        const handed = { key: keyAtPlace(key, place), priority, flow, virtualStartMs, requestId };
        bySpace.set(space, [...(bySpace.get(space) ?? []), handed]);
      }
    }
    return bySpace;
  }

  /** What another version holds is left to that one. Claimed each time: Redis can be another one since the last. */
  async function promoteIn(space: string, ahead: readonly Ahead[]): Promise<void> {
    try {
      await claimLayout(redis, space);
    } catch (error) {
      if (error instanceof LayoutError) return;
      throw error;
    }
    await queueOf(space).promote(ahead);
  }

  return {
    /** @throws Error of the first queue that failed; the others were served */
    async promoteAheadOf(blocked: readonly BlockedTask[]): Promise<void> {
      const promoted = [...(await handedOn(blocked))].map(([space, ahead]) => promoteIn(space, ahead));
      const failed = (await Promise.allSettled(promoted)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    },
    async close(): Promise<void> {
      await Promise.all([...queues.values()].map(({ jobs }) => jobs.close()));
      queues.clear();
    },
  };
}
