import { setTimeout as delay } from 'node:timers/promises';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** The network to Redis stands still: commands and replies arrive late, or are lost with their connections. */
export const redisStalled: Fault = {
  name: 'redis-stalled',
  breaks: ['redis'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    world.proxy.stall();
    await delay(random.between(200, 6_000));
    if (random.chance(0.5)) world.proxy.resetAll();
    world.proxy.open();
  },
  recoveryMs: () => afterRedisRestartMs,
};
