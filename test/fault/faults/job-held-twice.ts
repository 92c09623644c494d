import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { queueName } from '@diq/queue/store-keys.ts';
import type { Fault } from './fault.ts';

/** BullMQ takes no connection that sends a command so many times only. */
const untilAnswered = { maxRetriesPerRequest: null, commandTimeout: 60_000 };

/**
 * Jobs lose their locks while their calls are under way, and BullMQ's own search for such jobs, run far more
 * often than usual, gives them to other workers.
 */
export const jobHeldTwice: Fault = {
  name: 'job-held-twice',
  breaks: ['redis', 'defender'],
  async run(world, random) {
    const { redisClient, keySpace, callTimeoutMs, limit } = world;
    const action = { kind: 'delay', ms: 0.7 * callTimeoutMs };
    await world.control.addFault({ target: 'start', times: 3 * limit, action });
    const connection = (await world.redis.holder()).duplicate(untilAnswered);
    const search = new Worker(queueName, null, {
      connection: connection.on('error', () => undefined),
      prefix: keySpace,
      autorun: false,
      stalledInterval: 50,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    search.on('error', () => undefined);
    let given = 0;
    search.on('stalled', () => {
      given += 1;
      world.tally('jobs given to a second worker');
    });
    await search.startStalledCheckTimer();
    const endMs = Date.now() + world.windowMs * random.between(2, 3);
    // Calls may be too far between, or the machine too slow, for the search to meet one.
    const latestMs = endMs + 15 * world.windowMs;
    while (Date.now() < endMs || (given === 0 && Date.now() < latestMs)) {
      const held = await redisClient.lrange(`${keySpace}:${queueName}:active`, 0, -1);
      // The last key says that a process has searched just now, and keeps others from searching.
      const locks = held.map((id) => `${keySpace}:${queueName}:${id}:lock`);
      await redisClient.del(...locks, `${keySpace}:${queueName}:stalled-check`);
      await delay(random.between(5, 60));
    }
    await search.close();
    connection.disconnect();
    await world.control.clearFaults();
  },
};
