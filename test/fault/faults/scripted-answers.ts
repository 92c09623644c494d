import { setTimeout as delay } from 'node:timers/promises';
import type { FaultWorld } from '../fault-world.ts';
import type { Random } from '../random.ts';

/** Has the simulator answer some calls as scripted, in random order, for a few windows. */
export async function scriptAnswers(
  world: FaultWorld,
  random: Random,
  target: 'start' | 'token',
  actions: readonly object[],
): Promise<void> {
  for (const action of random.shuffle(actions)) {
    await world.control.addFault({ target, times: random.between(1, 2), action });
  }
  await delay(world.windowMs * random.between(1, 3));
  await world.control.clearFaults();
}
