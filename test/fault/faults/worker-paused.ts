import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** A worker stands still for a moment (SIGSTOP, SIGCONT), as in a long garbage collection or a moved machine. */
export const workerPaused: Fault = {
  name: 'worker-paused',
  breaks: ['worker'],
  async run(world, random) {
    await untilRandomMoment(world, random);
    const victim = world.workerFleet.pick(random);
    world.workerFleet.freeze(victim);
    await delay(random.between(300, 4_000));
    world.workerFleet.thaw(victim);
  },
};
