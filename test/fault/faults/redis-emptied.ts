import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** FLUSHALL in the middle of work: requests are gone, and yet no window and no machine may get more than its due. */
export const redisEmptied: Fault = {
  name: 'redis-emptied',
  breaks: ['redis', 'intake'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    await world.eraseAll();
  },
  recoveryMs: () => afterRedisRestartMs,
};
