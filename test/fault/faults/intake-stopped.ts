import type { Fault } from './fault.ts';
import { untilPost } from './until-post.ts';

/** SIGTERM of one intake, as in a rolling update. */
export const intakeStopped: Fault = {
  name: 'intake-stopped',
  breaks: ['intake'],
  async run(world, random) {
    const { intakeFleet } = world;
    await untilPost(world, random);
    await intakeFleet.replace(intakeFleet.pick(random), 'SIGTERM');
  },
};
