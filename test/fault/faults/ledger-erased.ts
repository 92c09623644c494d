import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** The books of the quota are gone, ledger, holds and limiter, while all requests are still there. */
export const ledgerErased: Fault = {
  name: 'ledger-erased',
  breaks: ['redis'],
  async run(world, random) {
    const { redis, keySpace } = world;
    await untilRandomMoment(world, random);
    const server = await redis.holder();
    const patterns = [`${keySpace}:ledger:*`, `${keySpace}:holds*`, `b_${keySpace}*`];
    const found = await Promise.all(patterns.map((pattern) => server.keys(escaped(pattern))));
    const keys = found.flat();
    if (keys.length > 0) world.tally('keys of the quota erased', await server.del(...keys));
  },
  recoveryMs: () => afterRedisRestartMs,
};

function escaped(pattern: string): string {
  return pattern.replaceAll(/[[\]?\\]/g, String.raw`\$&`);
}
