import { booksAway } from '../faults/books-away.ts';
import { booksContradictory } from '../faults/books-contradictory.ts';
import { booksLate } from '../faults/books-late.ts';
import { defenderFails } from '../faults/defender-fails.ts';
import { defenderHangs } from '../faults/defender-hangs.ts';
import { defenderResets } from '../faults/defender-resets.ts';
import { defenderSlow } from '../faults/defender-slow.ts';
import type { Fault } from '../faults/fault.ts';
import { intakeKilled } from '../faults/intake-killed.ts';
import { redisConnectionsReset } from '../faults/redis-connections-reset.ts';
import { redisFrozen } from '../faults/redis-frozen.ts';
import { redisKilled } from '../faults/redis-killed.ts';
import { workerFrozen } from '../faults/worker-frozen.ts';
import { workerKilled } from '../faults/worker-killed.ts';
import { workerStopped } from '../faults/worker-stopped.ts';
import type { ResultsRunName } from './results-run.ts';

/** Faults that are made while results are followed; in other runs nothing is read in the books that they break. */
export const followingFaults: readonly Fault[] = [booksAway, booksContradictory, booksLate];

const processesAndRedis = [
  intakeKilled,
  redisConnectionsReset,
  redisFrozen,
  redisKilled,
  workerFrozen,
  workerKilled,
  workerStopped,
];

/** The faults of each run. */
export const faultsOfRun: Readonly<Record<ResultsRunName, readonly Fault[]>> = {
  following: [...followingFaults, ...processesAndRedis, defenderSlow],
  'machine-order': [
    booksAway,
    booksLate,
    ...processesAndRedis,
    defenderFails,
    defenderHangs,
    defenderResets,
    defenderSlow,
  ],
};
