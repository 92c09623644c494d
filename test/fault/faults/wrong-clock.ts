import { setTimeout as delay } from 'node:timers/promises';
import type { FaultWorld } from '../fault-world.ts';
import type { Random } from '../random.ts';

const preload = new URL('../clock-shift.mjs', import.meta.url).href;

/** Puts a worker with a wrong clock in the place of another for a few windows, then the other way round. */
export async function runWithWrongClock(world: FaultWorld, random: Random, shiftMs: number): Promise<void> {
  const { workerFleet } = world;
  const before = new Set(workerFleet.members);
  await workerFleet.replace(workerFleet.pick(random), 'SIGTERM', {
    NODE_OPTIONS: `--import=${preload}?shiftMs=${shiftMs}`,
  });
  await delay(world.windowMs * random.between(2, 4));
  const wrong = workerFleet.members.find((member) => !before.has(member));
  if (wrong) await workerFleet.replace(wrong, random.pick(['SIGTERM', 'SIGKILL']));
}
