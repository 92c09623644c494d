import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** All connections to Redis are reset, a few times; the next ones work. */
export const redisConnectionsReset: Fault = {
  name: 'redis-connections-reset',
  breaks: ['redis'],
  async run(world, random) {
    for (let times = random.between(1, 4); times > 0; times -= 1) {
      await untilRandomMoment(world, random);
      await world.redis.resetConnections();
      await delay(random.between(0, 500));
    }
  },
};
