import type { FaultWorld } from '../fault-world.ts';
import { withReplica, type ReachedServer } from '../redis/fault-redis.ts';

/** Resolves when primary and replica of the queue run and agree. Tallies whether another server is the primary now. */
export async function untilWholeAgain({ redis, tally }: FaultWorld, former: ReachedServer): Promise<void> {
  const servers = withReplica(redis);
  await servers.untilWhole();
  if ((await servers.primary()).server !== former.server) tally("replicas that took their primary's place");
}
