import { setTimeout as delay } from 'node:timers/promises';
import { oneNode } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** The network to Redis stands still: commands and replies arrive late, or are lost with their connections. */
export const redisStalled: Fault = {
  name: 'redis-stalled',
  breaks: ['redis'],
  async run(world, random) {
    const { proxy } = oneNode(world.redis);
    await untilRandomMoment(world, random);
    proxy.stall();
    await delay(random.between(200, 6_000));
    if (random.chance(0.5)) proxy.resetAll();
    proxy.open();
  },
  recoveryMs: () => afterRedisRestartMs,
};
