import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** Redis reaches its `maxmemory` in the middle of work: new work is refused, and calls go on all the same. */
export const redisFull: Fault = {
  name: 'redis-full',
  breaks: ['redis', 'intake'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    const server = await world.redis.holder();
    await server.config('SET', 'maxmemory', '1');
    try {
      await delay(random.between(200, 2 * world.windowMs));
    } finally {
      await server.config('SET', 'maxmemory', '0');
    }
  },
};
