import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** SIGTERM of one worker or of all, at any time or just as a call arrives, as in a rolling update. */
export const workerStopped: Fault = {
  name: 'worker-stopped',
  breaks: ['worker'],
  async run(world, random) {
    const all = random.chance(0.3);
    await untilRandomMoment(world, random);
    const victims = all ? [...world.workerFleet.members] : [world.workerFleet.pick(random)];
    await Promise.all(victims.map((victim) => world.workerFleet.replace(victim, 'SIGTERM')));
  },
};
