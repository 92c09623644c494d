import type { LoadClient } from './load.ts';
import type { TraceSettings } from '../trace/trace-settings.ts';
import type { Row } from './row.ts';
import type { World } from './world.ts';

/** What a measurement has at hand. */
export interface BenchContext {
  /** Small sizes and one round: whether it runs, not how fast. */
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly load: LoadClient;
  /** A line of progress. */
  say(text: string): void;
  /** Started when it is asked for first, ended with the run. */
  world(): Promise<World>;
  /** The same, with a Redis in which requests wait: 200,000 of them, or a few when it is quick. */
  fullWorld(): Promise<World>;
  readonly fullSize: number;
  /** What is replayed, and how. */
  readonly trace: TraceSettings;
}

export interface Measure {
  readonly name: string;
  /** The table of docs/performance.md in which its lines stand, where that is not the main one. */
  readonly table?: 'queues' | 'queues-cluster' | 'trace';
  run(context: BenchContext): Promise<Row[]>;
}

/** Calls each of these in turn, round after round, and gives their values. */
export async function alternate<Name extends string>(
  context: Pick<BenchContext, 'say'>,
  what: string,
  rounds: number,
  steps: Record<Name, () => Promise<number>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(steps) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 1; round <= rounds; round += 1) {
    // The one that goes first in one round goes last in the next.
    for (const name of round % 2 === 1 ? names : names.toReversed()) values[name].push(await steps[name]());
    const last = names.map((name) => `${name} ${(values[name].at(-1) ?? 0).toFixed(1)}`).join(', ');
    context.say(`${what}: round ${round} of ${rounds}: ${last}`);
  }
  return values;
}
