import { setTimeout as delay } from 'node:timers/promises';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** SIGKILL of Redis, which starts again with the files it left. */
export const redisKilled: Fault = {
  name: 'redis-killed',
  breaks: ['redis'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    await world.redis.kill('SIGKILL');
    await delay(random.between(0, 3_000));
    await world.redis.restart();
  },
  recoveryMs: () => afterRedisRestartMs,
};
