import type { Fault } from './fault.ts';
import { untilPost } from './until-post.ts';

/** SIGKILL of one intake or of all, at any time or while they answer. */
export const intakeKilled: Fault = {
  name: 'intake-killed',
  breaks: ['intake'],
  async run(world, random) {
    const { intakeFleet } = world;
    await untilPost(world, random);
    const victims = random.chance(0.3) ? [...intakeFleet.members] : [intakeFleet.pick(random)];
    await Promise.all(victims.map((victim) => intakeFleet.replace(victim, 'SIGKILL')));
  },
};
