import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultWorld } from '../fault-world.ts';
import type { Random } from '../random.ts';

/** Any time, or the moment at which a batch is on its way in. */
export async function untilPost({ moments }: FaultWorld, random: Random): Promise<void> {
  await delay(random.between(0, 1_500));
  if (random.chance(0.3)) return;
  await once(moments, 'post', { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  await delay(random.between(0, 15));
}
