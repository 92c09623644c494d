import { setImmediate as afterwards } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { dispatchPayloadVersion } from '@diq/contracts/dispatch-payload.ts';
import type { DispatchPayload } from '@diq/contracts/dispatch-payload.ts';
import { loadScript, runScriptsWhenFull } from '@diq/quota/script.ts';
import { queueName } from './store-keys.ts';

/** What the order of the queue depends on; the rest stands in the dispatch. */
export interface Ticket {
  dispatchId: string;
  rank: number;
}

/**
 * The BullMQ queue. Its job is a ticket: a dispatch's place in the order, whose id is the dispatch's. What is to be
 * done stands in the dispatch, so a ticket that is lost is added again, and one too many finds nothing to do.
 */
export interface TicketQueue {
  /** Adds tickets, many in transactions; one that is in the queue already stays as it is. */
  add(tickets: readonly Ticket[]): Promise<void>;
  /** Adds one in the same way and tells its position; `undefined` where that is to be asked for. */
  addOne(ticket: Ticket): Promise<number | undefined>;
  /** Tickets that can be drawn now. */
  countReady(): Promise<number>;
  /** Tickets in the queue, drawn ones included. */
  countAll(): Promise<number>;
  /** 1 is drawn next; `undefined` for one that is not waiting in the order. One answer per id. */
  positions(dispatchIds: readonly string[]): Promise<(number | undefined)[]>;
  /** For each of these ranks, how many tickets that wait are of this rank or a more urgent one. */
  countUpTo(ranks: readonly number[]): Promise<number[]>;
  /** Which of these dispatches have a ticket, waiting or drawn. */
  have(dispatchIds: readonly string[]): Promise<boolean[]>;
  /** Gives tickets another place. One that was drawn goes back to that place, one that is gone stays gone. */
  setRanks(tickets: readonly Pick<Ticket, 'dispatchId' | 'rank'>[]): Promise<void>;
  /** The dispatch whose ticket is drawn next. */
  next(): Promise<string | undefined>;
  /** Those whose tickets are drawn next, at most so many. */
  nextOnes(limit: number): Promise<string[]>;
  /** Takes out a ticket that has nothing left to do. One that somebody holds stays. */
  remove(dispatchId: string): Promise<void>;
  /** The same for some hundred at once. */
  removeAll(dispatchIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Tickets per transaction, some 4 ms of Redis' time: other commands get in between. */
const chunkSize = 250;

const removeScript = loadScript(new URL('./lua/remove-tickets.lua', import.meta.url));
const idsReply = z.array(z.string());

/** BullMQ's score of a ticket is its rank times this, and its turn within the rank. */
const scoresPerRank = 2 ** 32;

export function createTicketQueue(
  redis: Redis,
  keySpace: string,
  onError: (error: Error) => void,
): TicketQueue {
  // BullMQ asks the server for its version when a queue is made; if that fails, the queue refuses everything for good.
  Object.assign(redis.options, { skipVersionCheck: true });
  runScriptsWhenFull(redis);
  const queue = new Queue<DispatchPayload>(queueName, {
    connection: redis,
    prefix: keySpace,
    skipWaitingForReady: true,
    streams: { events: { maxLen: 1_000 } },
  });
  queue.on('error', onError);
  const prioritizedKey = queue.toKey('prioritized');
  const adding = addInTransactions(queue);
  // Whoever adds is told.
  adding.catch(() => {});

  async function setRank(dispatchId: string, rank: number): Promise<void> {
    const job = await queue.getJob(dispatchId);
    // It can go between the two.
    await job?.changePriority({ priority: rank }).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.includes('Missing key'))) throw error;
    });
  }

  return {
    async add(tickets) {
      await adding;
      for (let i = 0; i < tickets.length; i += chunkSize) {
        await queue.addBulk(tickets.slice(i, i + chunkSize).map(toJob));
      }
    },
    async addOne(ticket) {
      const { name, data, opts } = toJob(ticket);
      const added = queue.add(name, data, opts);
      // BullMQ's command is on its way by then, so this one comes to Redis behind it, and both are one round trip. The
      // ticket is what counts: should its place not be told, it can be asked for.
      const place = afterwards()
        .then(() => redis.zrank(prioritizedKey, ticket.dispatchId))
        .catch(() => null);
      await added;
      const rank = await place;
      return rank === null ? undefined : rank + 1;
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
    async countUpTo(ranks) {
      const pipeline = redis.pipeline();
      for (const rank of ranks) pipeline.zcount(prioritizedKey, '-inf', `(${(rank + 1) * scoresPerRank}`);
      return (await repliesOf(pipeline)).map(Number);
    },
    async have(dispatchIds) {
      const pipeline = redis.pipeline();
      for (const id of dispatchIds) pipeline.exists(queue.toKey(id));
      return (await repliesOf(pipeline)).map((found) => found === 1);
    },
    async setRanks(changed) {
      for (let i = 0; i < changed.length; i += chunkSize) {
        const chunk = changed.slice(i, i + chunkSize);
        await Promise.all(chunk.map(({ dispatchId, rank }) => setRank(dispatchId, rank)));
      }
    },
    async next() {
      const [first] = await redis.zrange(prioritizedKey, 0, '0');
      return first;
    },
    nextOnes: (limit) => redis.zrange(prioritizedKey, 0, String(limit - 1)),
    async remove(dispatchId) {
      await queue.remove(dispatchId);
    },
    async removeAll(dispatchIds) {
      for (let i = 0; i < dispatchIds.length; i += chunkSize) {
        const ids = dispatchIds.slice(i, i + chunkSize);
        const keys = [prioritizedKey, ...ids.map((id) => queue.toKey(id))];
        const left = idsReply.parse(await removeScript(redis, keys, ids));
        await Promise.all(left.map((id) => queue.remove(id)));
      }
    },
    close: () => queue.close(),
  };
}

/**
 * BullMQ adds jobs in a pipeline. In a transaction Redis writes them to its file once and not with every dozen that it
 * reads, which takes a quarter of the time off; and a chunk is added whole or not at all.
 */
async function addInTransactions(queue: Queue<DispatchPayload>): Promise<void> {
  const backend = queue.getBackend();
  if (!('client' in backend)) return;
  const client = (await backend.client) as { pipeline(): unknown; multi(): unknown };
  client.pipeline = () => client.multi();
}

function toJob({ dispatchId, rank }: Ticket) {
  const data: DispatchPayload = { v: dispatchPayloadVersion };
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
