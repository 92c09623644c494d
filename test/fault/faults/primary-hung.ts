import { setTimeout as delay } from 'node:timers/promises';
import { withReplica } from '../redis/fault-redis.ts';
import { afterRedisRestartMs } from './fault.ts';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';
import { untilWholeAgain } from './until-whole-again.ts';

/**
 * The primary stands still (SIGSTOP, SIGCONT), now shorter, now longer than it may before its replica takes its place. Then
 * it goes on as if nothing had happened, with the commands that it got meanwhile.
 */
export const primaryHung: Fault = {
  name: 'primary-hung',
  breaks: ['redis'],
  async run(world, random) {
    const redis = withReplica(world.redis);
    await untilRandomMoment(world, random);
    const former = await redis.primary();
    await former.server.kill('SIGSTOP');
    await delay(random.between(200, 6_000));
    await former.server.kill('SIGCONT');
    await untilWholeAgain(world, former);
  },
  recoveryMs: () => afterRedisRestartMs,
};
