import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** SCRIPT FLUSH, a few times: Redis forgets the scripts that everybody calls by their hash. */
export const redisScriptsFlushed: Fault = {
  name: 'redis-scripts-flushed',
  breaks: ['redis'],
  async run({ redis }, random) {
    for (let times = random.between(3, 10); times > 0; times -= 1) {
      await (await redis.holder()).script('FLUSH');
      await delay(random.between(0, 300));
    }
  },
};
