import { setTimeout as delay } from 'node:timers/promises';
import { oneNode } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** No connection to Redis can be made for a while, and those that were are gone. */
export const redisUnreachable: Fault = {
  name: 'redis-unreachable',
  breaks: ['redis'],
  async run(world, random) {
    const { proxy } = oneNode(world.redis);
    await untilRandomMoment(world, random);
    proxy.refuse();
    await delay(random.between(500, 5_000));
    proxy.open();
  },
  recoveryMs: () => afterRedisRestartMs,
};
