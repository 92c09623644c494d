import { setTimeout as delay } from 'node:timers/promises';
import { inCluster } from '../redis/fault-redis.ts';
import type { Fault } from './fault.ts';

/** SIGKILL of a primary that holds nothing of the queue: nothing is to be noticed of it. It comes back. */
export const otherPrimaryKilled: Fault = {
  name: 'other-primary-killed',
  breaks: ['redis'],
  async run(world, random) {
    const redis = inCluster(world.redis);
    const { server } = await redis.otherPrimary();
    await server.kill('SIGKILL');
    await delay(random.between(0, 5_000));
    await server.restart();
    await redis.untilWhole();
  },
};
