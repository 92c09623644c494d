import { setTimeout as delay } from 'node:timers/promises';
import { inCluster } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** The slot of the queue is moved to another shard of the Redis Cluster, at once or key by key. */
export const slotMoved: Fault = {
  name: 'slot-moved',
  breaks: ['redis'],
  async run(world, random) {
    const redis = inCluster(world.redis);
    await untilRandomMoment(world, random);
    await redis.moveSlot(random.between(1, 30), () => delay(random.between(0, 300)));
    await redis.untilWhole();
  },
  recoveryMs: () => afterRedisRestartMs,
};
