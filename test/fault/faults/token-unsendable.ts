import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** Tokens are revoked, and Entra ID gives out some that no header of a request can carry. */
export const tokenUnsendable: Fault = {
  name: 'token-unsendable',
  breaks: ['defender', 'entra'],
  async run(world, random) {
    const access_token = random.pick(['token\n', 'token\r\nx: y', 'tok\u0000en', 'tökén', 'to ken', '']);
    const body = { token_type: 'Bearer', expires_in: 3_599, access_token };
    await world.control.addFault({
      target: 'token',
      times: null,
      action: { kind: 'status', status: 200, body },
    });
    await world.control.revokeTokens();
    await delay(random.between(500, 3_000));
    await world.control.clearFaults();
  },
  // As for a token endpoint that is down.
  recoveryMs: () => 10_000,
};
