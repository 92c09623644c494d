import type { FaultWorld } from '../fault-world.ts';
import type { Random } from '../random.ts';

/** Parts of the world that no two faults break at the same time. */
export type Part = 'worker' | 'intake' | 'redis' | 'defender' | 'entra';

/** One way in which things break, made for real. */
export interface Fault {
  /** Also its heading in docs/failure-modes.md. */
  readonly name: string;
  readonly breaks: readonly Part[];
  /** Breaks something and mends it again; resolves when it is mended. */
  run(world: FaultWorld, random: Random): Promise<void>;
  /** How long after its end a free slot may stay unused while work is ready. Default 5 s. */
  readonly recoveryMs?: (world: FaultWorld) => number;
}

/** After a restart of Redis everything has to connect, load its scripts and find its state again. */
export const afterRedisRestartMs = 30_000;
