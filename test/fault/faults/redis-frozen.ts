import { setTimeout as delay } from 'node:timers/promises';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** Redis stands still (SIGSTOP, SIGCONT): connections stay, answers come late. */
export const redisFrozen: Fault = {
  name: 'redis-frozen',
  breaks: ['redis'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    await world.redis.kill('SIGSTOP');
    await delay(random.between(200, 6_000));
    await world.redis.kill('SIGCONT');
  },
  recoveryMs: () => afterRedisRestartMs,
};
