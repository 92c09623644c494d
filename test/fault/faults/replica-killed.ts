import { setTimeout as delay } from 'node:timers/promises';
import { withReplica } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** SIGKILL of the only replica, which writes have to reach before they count; it comes back. */
export const replicaKilled: Fault = {
  name: 'replica-killed',
  breaks: ['redis'],
  async run(world, random) {
    const redis = withReplica(world.redis);
    await untilRandomMoment(world, random);
    const { server } = await redis.replica();
    await server.kill('SIGKILL');
    await delay(random.between(0, 4_000));
    await server.restart();
    await redis.untilWhole();
  },
  recoveryMs: () => afterRedisRestartMs,
};
