import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { dispatchPayloadVersion } from '@diq/contracts/dispatch-payload.ts';
import type { DispatchPayload } from '@diq/contracts/dispatch-payload.ts';
import { queueName } from './store-keys.ts';

/** What the order of the queue depends on; the rest stands in the dispatch. */
export interface Ticket {
  dispatchId: string;
  machineId: string;
  rank: number;
}

/**
 * The BullMQ queue. Its job is a ticket: a dispatch's place in the order, whose id is the dispatch's. What is to be
 * done stands in the dispatch, so a ticket that is lost is added again, and one too many finds nothing to do.
 */
export interface TicketQueue {
  /** Adds tickets in pipelines; one that is in the queue already stays as it is. */
  add(tickets: readonly Ticket[]): Promise<void>;
  /** Tickets that can be drawn now. */
  countReady(): Promise<number>;
  /** Tickets in the queue, drawn ones included. */
  countAll(): Promise<number>;
  /** 1 is drawn next; `undefined` for one that is not waiting in the order. One answer per id. */
  positions(dispatchIds: readonly string[]): Promise<(number | undefined)[]>;
  /** Which of these dispatches have a ticket, waiting or drawn. */
  have(dispatchIds: readonly string[]): Promise<boolean[]>;
  /** Takes out a ticket that has nothing left to do. One that somebody holds stays. */
  remove(dispatchId: string): Promise<void>;
  close(): Promise<void>;
}

/** Tickets per pipeline: small enough that other commands get in between, large enough to keep the link busy. */
const pipelineSize = 500;

export function createTicketQueue(
  redis: Redis,
  keySpace: string,
  onError: (error: Error) => void,
): TicketQueue {
  // BullMQ asks the server for its version when a queue is made; if that fails, the queue refuses everything for good.
  Object.assign(redis.options, { skipVersionCheck: true });
  const queue = new Queue<DispatchPayload>(queueName, {
    connection: redis,
    prefix: keySpace,
    skipWaitingForReady: true,
    streams: { events: { maxLen: 1_000 } },
  });
  queue.on('error', onError);
  const prioritizedKey = queue.toKey('prioritized');

  return {
    async add(tickets) {
      for (let i = 0; i < tickets.length; i += pipelineSize) {
        await queue.addBulk(tickets.slice(i, i + pipelineSize).map(toJob));
      }
    },
    async countReady() {
      const counts = await queue.getJobCounts('prioritized', 'waiting');
      return (counts['prioritized'] ?? 0) + (counts['waiting'] ?? 0);
    },
    async countAll() {
      const counts = await queue.getJobCounts('prioritized', 'waiting', 'active', 'delayed');
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    async positions(dispatchIds) {
      const pipeline = redis.pipeline();
      for (const id of dispatchIds) pipeline.zrank(prioritizedKey, id);
      const replies = await repliesOf(pipeline);
      return replies.map((rank) => (typeof rank === 'number' ? rank + 1 : undefined));
    },
    async have(dispatchIds) {
      const pipeline = redis.pipeline();
      for (const id of dispatchIds) pipeline.exists(queue.toKey(id));
      return (await repliesOf(pipeline)).map((found) => found === 1);
    },
    async remove(dispatchId) {
      await queue.remove(dispatchId);
    },
    close: () => queue.close(),
  };
}

function toJob({ dispatchId, machineId, rank }: Ticket) {
  const data: DispatchPayload = { v: dispatchPayloadVersion, machineId };
  return { name: 'dispatch', data, opts: { jobId: dispatchId, priority: rank } };
}

/** A pipeline's replies; the first error of any command is thrown. */
export async function repliesOf(pipeline: ReturnType<Redis['pipeline']>): Promise<unknown[]> {
  const results = await pipeline.exec();
  return (results ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}
