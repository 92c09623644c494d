import { setTimeout as delay } from 'node:timers/promises';
import { withReplica } from '../redis/fault-redis.ts';
import { untilFailedOver } from '../redis/replicated-servers.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';
import { untilWholeAgain } from './until-whole-again.ts';

/** SIGKILL of the primary: its replica takes its place, and it comes back as the replica of that one. */
export const primaryKilled: Fault = {
  name: 'primary-killed',
  breaks: ['redis'],
  async run(world, random) {
    const redis = withReplica(world.redis);
    await untilRandomMoment(world, random);
    const former = await redis.primary();
    await former.server.kill('SIGKILL');
    await untilFailedOver(redis, former);
    await delay(random.between(0, 3_000));
    await former.server.restart();
    await untilWholeAgain(world, former);
  },
  recoveryMs: () => afterRedisRestartMs,
};
