import { alternate } from '../support/context.ts';
import type { BenchContext, Measure } from '../support/context.ts';
import { ratePerSecond } from '../support/load.ts';
import { shareRow } from '../support/row.ts';
import type { Row } from '../support/row.ts';

/** `POST /v1/batches` against `addBulk` of equal jobs. */
export const batches: Measure = {
  name: 'batches',
  async run(context) {
    return context.isQuick
      ? [await measure(context, 100, 2)]
      : [await measure(context, 1_000, 10), await measure(context, 10_000, 2)];
  },
};

async function measure(context: BenchContext, size: number, times: number): Promise<Row> {
  const world = await context.world();
  const what = `POST /v1/batches of ${size.toLocaleString('en')}`;
  const plan = { ...world.target, paths: ['/v1/batches'], connections: 1, durationMs: 0 };
  const post = async () => {
    await world.flush();
    return ratePerSecond(await context.load.run({ ...plan, times, post: { itemsPerBatch: size } })) * size;
  };
  const addBulk = async () => {
    await world.flush();
    return (size * times * 1_000) / (await world.bare.addBulk({ items: size, times, deduplicate: true }));
  };
  // Both with warm code.
  await post();
  await addBulk();
  const { batches, bulks } = await alternate(context, what, context.rounds, {
    batches: post,
    bulks: addBulk,
  });
  return shareRow(
    what,
    { what: 'items', unit: '/s', rounds: batches },
    { what: 'addBulk in process', unit: '/s', rounds: bulks },
    0.6,
  );
}
