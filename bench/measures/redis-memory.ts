import { alternate } from '../support/context.ts';
import type { Measure } from '../support/context.ts';
import { postBatch } from '../support/post-batch.ts';
import { factorRow } from '../support/row.ts';
import type { World } from '../support/world.ts';

/** What a request that waits takes up in Redis, with everything that belongs to it, against a bare job. */
export const redisMemory: Measure = {
  name: 'redis-memory',
  async run(context) {
    const world = await context.world();
    const batch = context.isQuick ? 500 : 10_000;
    const times = context.isQuick ? 1 : 5;
    const perItem = async (fill: () => Promise<unknown>) => {
      await world.flush();
      const before = await usedBytes(world);
      await fill();
      return ((await usedBytes(world)) - before) / (batch * times);
    };
    const bulk = (deduplicate: boolean) => world.bare.addBulk({ items: batch, times, deduplicate });
    // It hardly varies.
    const rounds = Math.min(3, context.rounds);
    const values = await alternate(context, 'Redis memory', rounds, {
      request: () =>
        perItem(async () => {
          for (let i = 0; i < times; i += 1) await postBatch(context, world, batch);
        }),
      bare: () => perItem(() => bulk(false)),
      deduplicated: () => perItem(() => bulk(true)),
    });
    const series = (what: string, rounds: number[]) => ({ what, unit: 'bytes', rounds });
    const request = series('bytes', values.request);
    return [
      factorRow('Redis memory per waiting request', request, series('bare BullMQ job', values.bare), 1.6),
      factorRow(
        'Redis memory per waiting request, against a job that coalesces as well',
        request,
        series('BullMQ job with deduplication', values.deduplicated),
        1.6,
      ),
    ];
  },
};

async function usedBytes({ client }: World): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
}
