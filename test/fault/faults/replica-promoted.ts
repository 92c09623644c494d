import { setTimeout as delay } from 'node:timers/promises';
import { startLaggingReplica } from '@diq/testing/lagging-replica.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { FaultWorld } from '../fault-world.ts';
import { findLastingPort } from '@diq/testing/lasting-port.ts';
import { readRecordedIds } from '../read-requests.ts';
import { oneNode } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/**
 * The primary is killed, and a replica takes its place that lacks the latest moments: the calls that were made in them,
 * what came of them, and what was accepted. The workers live, since only they remember the calls.
 */
export const replicaPromoted: Fault = {
  name: 'replica-promoted',
  breaks: ['redis', 'worker'],
  async run(world, random) {
    const { server: primary } = oneNode(world.redis);
    const { keySpace, simulatorLog } = world;
    const replica = await startLaggingReplica(primary, { appendOnly: true, port: await findLastingPort() });
    try {
      await untilBacklog(world);
      await replica.untilInSync();
      const fromMs = Date.now();
      await replica.untilInSync();
      replica.holdBack();
      const before = (await simulatorLog.calls()).length;
      await untilRandomMoment(world, random);
      await delay(random.between(0, 1_500));
      await primary.kill('SIGKILL');
      const toMs = Date.now();
      world.tally('calls made within the lag of a replica', (await simulatorLog.calls()).length - before);
      await delay(random.between(0, 2_000));
      await replica.promote();
      const kept = new Set(await readRecordedIds(replica.client, keySpace));
      await world.failOverTo(replica.server, { fromMs, toMs, kept });
    } finally {
      await replica.letGo();
      if (oneNode(world.redis).server !== replica.server) await replica.server.stop();
    }
  },
  recoveryMs: () => afterRedisRestartMs,
};

/** So that calls are made within the lag for what was accepted before it: those are known to the replica as waiting. */
async function untilBacklog({ moments, redisClient, keySpace, limit }: FaultWorld): Promise<void> {
  moments.emit('burst', 2 * limit);
  const isThere = async () => (await redisClient.zcard(`${keySpace}:waiting`)) > limit;
  // The intakes may be away: then it goes without.
  await waitFor(isThere, { what: 'a backlog', timeoutMs: 10_000 }).catch(() => undefined);
}
