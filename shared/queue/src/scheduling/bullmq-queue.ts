import { Queue, type BulkJobOptions } from 'bullmq';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { runScriptsWhenFull } from '@diq/redis/script.ts';

/** A job as it is added. */
export interface AddedJob {
  name: string;
  data: object;
  opts: BulkJobOptions;
}

/** Opens a queue of BullMQ for adding, on a connection that many share. Nothing is read or written for it. */
export function openBullmqQueue(
  redis: RedisConnection,
  { name, prefix, onError }: { name: string; prefix: string; onError: (error: Error) => void },
): Queue {
  // BullMQ defines its scripts once for a connection: with the first of its queues.
  runScriptsWhenFull(redis);
  const queue = new Queue(name, {
    connection: redis,
    prefix,
    // Asked for its version while Redis is away, a queue would refuse everything for good.
    skipVersionCheck: true,
    skipWaitingForReady: true,
    streams: { events: { maxLen: 1_000 } },
  });
  queue.on('error', onError);
  return queue;
}

/**
 * Adds all of them or, where Redis refuses one, none; one by one where Redis has forgotten the script. One whose id is in the queue already
 * stays as it is, so that what was added in part can be added again.
 */
export async function addAll(queue: Queue, jobs: readonly AddedJob[]): Promise<void> {
  await addInTransactions(queue);
  try {
    await queue.addBulk([...jobs]);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('NOSCRIPT'))) throw error;
    // In a transaction a script that was sent once is called by its digest for good: also where Redis refused that
    // transaction, or has forgotten its scripts since. Outside of one it is sent whole again.
    await Promise.all(jobs.map(({ name, data, opts }) => queue.add(name, data, opts)));
  }
}

/**
 * BullMQ adds jobs in a pipeline. In a transaction Redis writes them to its file once and not with every dozen that it
 * reads, which takes a quarter of the time off.
 */
async function addInTransactions(queue: Queue): Promise<void> {
  const backend = queue.getBackend();
  if (!('client' in backend)) return;
  const client = (await backend.client) as { pipeline(): unknown; multi(): unknown };
  client.pipeline = () => client.multi();
}
