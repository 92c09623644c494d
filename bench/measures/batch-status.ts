import { alternate } from '../support/context.ts';
import type { Measure } from '../support/context.ts';
import { refuseFailures } from '../support/load.ts';
import { postBatch } from '../support/post-batch.ts';
import { factorRow } from '../support/row.ts';
import { median } from '../support/statistics.ts';

/** The status of a large batch against that of a small one. */
export const batchStatus: Measure = {
  name: 'batch-status',
  async run(context) {
    const { isQuick, rounds, load } = context;
    const world = await context.world();
    await world.flush();
    const sizes = { large: isQuick ? 1_000 : 10_000, small: 10 };
    const large = await postBatch(context, world, sizes.large);
    const small = await postBatch(context, world, sizes.small);
    const ask = async ({ id }: { id: string }) => {
      const result = await load.run({
        ...world.target,
        paths: [`/v1/batches/${id}`],
        connections: 1,
        durationMs: 0,
        times: isQuick ? 20 : 500,
      });
      refuseFailures(result);
      return median(result.latenciesMs);
    };
    await ask(large);
    await ask(small);
    const values = await alternate(context, 'GET /v1/batches/{id}', rounds, {
      large: () => ask(large),
      small: () => ask(small),
    });
    const series = (what: string, rounds: number[]) => ({ what, unit: 'ms', rounds });
    const what = `GET /v1/batches/{id} of ${sizes.large.toLocaleString('en')}`;
    return [factorRow(what, series('per answer', values.large), series('of 10', values.small), 2)];
  },
};
