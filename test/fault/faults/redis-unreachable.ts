import { setTimeout as delay } from 'node:timers/promises';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** No connection to Redis can be made for a while, and those that were are gone. */
export const redisUnreachable: Fault = {
  name: 'redis-unreachable',
  breaks: ['redis'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    world.proxy.refuse();
    await delay(random.between(500, 5_000));
    world.proxy.open();
  },
  recoveryMs: () => afterRedisRestartMs,
};
