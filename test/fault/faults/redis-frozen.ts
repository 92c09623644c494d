import { setTimeout as delay } from 'node:timers/promises';
import { oneNode } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** Redis stands still (SIGSTOP, SIGCONT): connections stay, answers come late. */
export const redisFrozen: Fault = {
  name: 'redis-frozen',
  breaks: ['redis'],
  async run(world, random) {
    const { server } = oneNode(world.redis);
    await untilRandomMoment(world, random);
    await server.kill('SIGSTOP');
    await delay(random.between(200, 6_000));
    await server.kill('SIGCONT');
  },
  recoveryMs: () => afterRedisRestartMs,
};
