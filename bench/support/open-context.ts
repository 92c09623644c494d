import type { TraceSettings } from '../trace/trace-settings.ts';
import type { BenchContext } from './context.ts';
import { startLoadClient } from './load.ts';
import { postBatch } from './post-batch.ts';
import { startWorld } from './world.ts';
import type { World } from './world.ts';

/** All that measurements share. `close` ends every process that was started for it. */
export async function openContext(options: {
  isQuick: boolean;
  rounds: number;
  trace: TraceSettings;
  say(text: string): void;
}): Promise<BenchContext & { close(): Promise<void> }> {
  const { isQuick, say } = options;
  const load = await startLoadClient();
  const batchSize = isQuick ? 1_000 : 10_000;
  const fullSize = isQuick ? 1_000 : 200_000;
  let empty: Promise<World> | undefined;
  let full: Promise<World> | undefined;

  async function fill(): Promise<World> {
    const world = await startWorld();
    for (let waiting = 0; waiting < fullSize; waiting += batchSize) {
      await postBatch({ load }, world, batchSize);
      if ((waiting / batchSize) % 5 === 4) say(`filling a queue: ${waiting + batchSize} of ${fullSize}`);
    }
    return world;
  }
  return {
    ...options,
    load,
    fullSize,
    world: () => (empty ??= startWorld()),
    fullWorld: () => (full ??= fill()),
    async close() {
      const worlds = await Promise.allSettled([empty, full]);
      for (const world of worlds) if (world.status === 'fulfilled') await world.value?.stop();
      await load.close();
    },
  };
}
