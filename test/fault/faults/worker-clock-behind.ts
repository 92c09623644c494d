import type { Fault } from './fault.ts';
import { runWithWrongClock } from './wrong-clock.ts';

/** One worker's clock is ten minutes behind of everybody else's. */
export const workerClockBehind: Fault = {
  name: 'worker-clock-behind',
  breaks: ['worker'],
  run: (world, random) => runWithWrongClock(world, random, -10 * 60_000),
};
