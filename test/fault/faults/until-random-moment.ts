import { setTimeout as delay } from 'node:timers/promises';
import type { FaultWorld } from '../fault-world.ts';
import type { Random } from '../random.ts';

/** Any time, or some moment of a call: just as it has arrived at Defender, or anywhere in one that takes its time. */
export async function untilRandomMoment(world: FaultWorld, random: Random): Promise<void> {
  const { control, simulatorLog, windowMs, callTimeoutMs } = world;
  const slowMs = random.chance(0.5) ? 0.6 * callTimeoutMs : 0;
  if (random.chance(0.7)) {
    const action = { kind: 'delay', ms: slowMs };
    if (slowMs > 0) await control.addFault({ target: 'start', times: 1, action });
    await simulatorLog.untilNextCall(2 * windowMs);
    await delay(random.between(0, 10 + slowMs));
  }
  if (random.chance(0.3)) await delay(random.between(0, windowMs));
}
