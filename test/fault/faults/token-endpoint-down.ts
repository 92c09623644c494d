import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** Tokens are revoked and Entra ID gives no new ones: 503, a refusal, resets or no answer at all. */
export const tokenEndpointDown: Fault = {
  name: 'token-endpoint-down',
  breaks: ['defender', 'entra'],
  async run(world, random) {
    const action = random.pick([
      { kind: 'status', status: 503 },
      { kind: 'token-refused', error: 'AADSTS7000215' },
      { kind: 'reset', when: 'before' },
      { kind: 'hang' },
    ]);
    await world.control.addFault({ target: 'token', times: null, action });
    await world.control.revokeTokens();
    await delay(random.between(500, 3_000));
    await world.control.clearFaults();
  },
  // The holds that follow are seen and excused; what is left is a worker that waits for an answer to its last try.
  recoveryMs: () => 10_000,
};
