import type { Fault } from './fault.ts';
import { untilRandomMoment } from './until-random-moment.ts';

/** SIGKILL of one worker or of all, at any time or just as a call arrives; others take their place. */
export const workerKilled: Fault = {
  name: 'worker-killed',
  breaks: ['worker'],
  async run(world, random) {
    const all = random.chance(0.3);
    await untilRandomMoment(world, random);
    const victims = all ? [...world.workerFleet.members] : [world.workerFleet.pick(random)];
    await Promise.all(victims.map((victim) => world.workerFleet.replace(victim, 'SIGKILL')));
  },
};
