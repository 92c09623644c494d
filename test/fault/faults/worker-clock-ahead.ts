import type { Fault } from './fault.ts';
import { runWithWrongClock } from './wrong-clock.ts';

/** One worker's clock is ten minutes ahead of everybody else's. */
export const workerClockAhead: Fault = {
  name: 'worker-clock-ahead',
  breaks: ['worker'],
  run: (world, random) => runWithWrongClock(world, random, 10 * 60_000),
};
