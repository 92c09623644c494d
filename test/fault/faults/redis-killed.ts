import { setTimeout as delay } from 'node:timers/promises';
import { oneNode } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** SIGKILL of Redis, which starts again with the files it left. */
export const redisKilled: Fault = {
  name: 'redis-killed',
  breaks: ['redis'],
  async run(world, random) {
    const { server } = oneNode(world.redis);
    await untilRandomMoment(world, random);
    await server.kill('SIGKILL');
    await delay(random.between(0, 3_000));
    await server.restart();
  },
  recoveryMs: () => afterRedisRestartMs,
};
