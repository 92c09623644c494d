import { setTimeout as delay } from 'node:timers/promises';
import { withReplica } from '../redis/fault-redis.ts';
import { untilFailedOver } from '../redis/replicated-servers.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';
import { untilWholeAgain } from './until-whole-again.ts';

/** The replica gets nothing of its primary for a while; then it follows again, or the primary is killed and it takes its place. */
export const replicaBehind: Fault = {
  name: 'replica-behind',
  breaks: ['redis'],
  async run(world, random) {
    const redis = withReplica(world.redis);
    const isPromoted = random.chance(0.6);
    await untilRandomMoment(world, random);
    const former = await redis.primary();
    const follow = await redis.holdReplicaBack();
    await delay(random.between(300, 4_000));
    if (isPromoted) {
      await former.server.kill('SIGKILL');
      await untilFailedOver(redis, former);
    }
    await follow();
    if (isPromoted) await former.server.restart();
    await untilWholeAgain(world, former);
  },
  recoveryMs: () => afterRedisRestartMs,
};
