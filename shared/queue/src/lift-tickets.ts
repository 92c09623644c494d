import type { Redis } from 'ioredis';
import { z } from 'zod';
import { storeKeys } from './store-keys.ts';
import { repliesOf } from './ticket-queue.ts';
import type { TicketQueue } from './ticket-queue.ts';

interface Lifted {
  dispatchId: string;
  rank: number;
}

const rankReply = z.array(z.coerce.number());

/**
 * Moves the tickets of dispatches that were given a better place. The dispatch is marked as lifted until its ticket has
 * followed: if this process ends in between, whoever joins next does it.
 */
export function createTicketLift(redis: Redis, keySpace: string, tickets: Pick<TicketQueue, 'setRanks'>) {
  const keys = storeKeys(keySpace);

  async function ranksNow(lifted: readonly Lifted[]): Promise<Lifted[]> {
    const pipeline = redis.pipeline();
    for (const { dispatchId } of lifted) pipeline.hget(keys.dispatch(dispatchId), 'priority');
    const ranks = rankReply.parse(await repliesOf(pipeline));
    return lifted.map(({ dispatchId }, i) => ({ dispatchId, rank: ranks[i] ?? 0 }));
  }

  return async (placed: readonly Lifted[]): Promise<void> => {
    const lifted = [...new Map(placed.map((one) => [one.dispatchId, one])).values()];
    // Somebody else may lift the same dispatch further at this moment, and set its ticket before us.
    for (let behind = lifted; behind.length > 0;) {
      await tickets.setRanks(behind);
      const present = await ranksNow(behind);
      behind = present.filter(({ rank }, i) => rank > 0 && rank !== behind[i]?.rank);
    }
    if (lifted.length === 0) return;
    const pipeline = redis.pipeline();
    for (const { dispatchId } of lifted) pipeline.hdel(keys.dispatch(dispatchId), 'lifted');
    await repliesOf(pipeline);
  };
}
