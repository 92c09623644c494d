import { alternate } from '../support/context.ts';
import type { BenchContext, Measure } from '../support/context.ts';
import { ratePerSecond } from '../support/load.ts';
import type { LoadPlan } from '../support/load.ts';
import { idsOf, postBatch } from '../support/post-batch.ts';
import { factorRow } from '../support/row.ts';
import type { Row } from '../support/row.ts';
import type { World } from '../support/world.ts';

/** The four ways in and out, with a long queue and with none. */
export const fullQueue: Measure = {
  name: 'full-queue',
  async run(context) {
    const empty = await context.world();
    const full = await context.fullWorld();
    const rows: Row[] = [];
    for (const way of waysOf(context)) rows.push(await compare(context, way, empty, full));
    return rows;
  },
};

interface Way {
  what: string;
  /** Requests of one round that count as one. */
  plan: Partial<LoadPlan>;
  paths(world: World): Promise<string[]>;
}

function waysOf(context: BenchContext): Way[] {
  const { isQuick } = context;
  const long = { connections: 32, durationMs: isQuick ? 300 : 3_000 };
  const batches = (size: number, times: number): Way => ({
    what: `POST /v1/batches of ${size.toLocaleString('en')}`,
    plan: { connections: 1, times, post: { itemsPerBatch: size } },
    paths: async () => ['/v1/batches'],
  });
  return [
    ...(isQuick ? [batches(100, 2)] : [batches(1_000, 8), batches(10_000, 2)]),
    {
      what: 'POST /v1/investigations',
      plan: { ...long, post: {} },
      paths: async () => ['/v1/investigations'],
    },
    {
      what: 'GET /v1/investigations/{id}',
      plan: long,
      paths: async (world) =>
        idsOf(await postBatch(context, world, 100)).map((id) => `/v1/investigations/${id}`),
    },
  ];
}

async function compare(context: BenchContext, way: Way, empty: World, full: World): Promise<Row> {
  const ask = async (world: World, flush: boolean) => {
    if (flush) await world.flush();
    const paths = await way.paths(world);
    const plan = { connections: 1, durationMs: 0, ...way.plan, ...world.target, paths };
    return 1_000 / ratePerSecond(await context.load.run(plan));
  };
  await ask(empty, true);
  await ask(full, false);
  const what = `${way.what}, ${context.fullSize.toLocaleString('en')} waiting`;
  const values = await alternate(context, what, context.rounds, {
    full: () => ask(full, false),
    empty: () => ask(empty, true),
  });
  const series = (what: string, rounds: number[]) => ({ what, unit: 'ms', rounds });
  return factorRow(what, series('per answer', values.full), series('empty queue', values.empty), 1.25);
}
