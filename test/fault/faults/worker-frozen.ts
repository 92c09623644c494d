import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** After this long Bottleneck takes a client for gone. */
const bottleneckClientTimeoutMs = 10_000;

/**
 * A worker stands still for so long that its job is given to another and everybody takes it for dead. Then it goes
 * on where it was.
 */
export const workerFrozen: Fault = {
  name: 'worker-frozen',
  breaks: ['worker'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    const victim = world.workerFleet.pick(random);
    // A job's lock is two permit timeouts long, and the search for lost locks runs once in each of them.
    const jobLostMs = 3 * world.permitTimeoutMs;
    world.workerFleet.freeze(victim);
    await delay(Math.max(jobLostMs, bottleneckClientTimeoutMs) + 1_000);
    world.workerFleet.thaw(victim);
  },
};
