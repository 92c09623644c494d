import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** All tokens that were issued are worthless from one moment to the next, a few times. */
export const tokensRevoked: Fault = {
  name: 'tokens-revoked',
  breaks: ['defender', 'entra'],
  async run(world, random) {
    for (let times = random.between(1, 3); times > 0; times -= 1) {
      await world.control.revokeTokens();
      await delay(random.between(0, world.windowMs));
    }
  },
};
