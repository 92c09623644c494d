import { randomUUID } from 'node:crypto';
import { alternate } from '../support/context.ts';
import type { Measure } from '../support/context.ts';
import { ratePerSecond } from '../support/load.ts';
import { shareRow } from '../support/row.ts';
import { idsOf, postBatch } from '../support/post-batch.ts';

/** One request each way at 32 connections, against Express with one Redis command behind it. */
export const singleRequests: Measure = {
  name: 'single-requests',
  async run(context) {
    const { load, isQuick, rounds } = context;
    const world = await context.world();
    const plan = { connections: 32, durationMs: isQuick ? 300 : 3_000 };
    const bare = { ...plan, origin: world.bare.origin, headers: {} };
    const ours = { ...plan, ...world.target };

    const post = async (target: typeof ours, path: string) => {
      await world.flush();
      return ratePerSecond(await load.run({ ...target, paths: [path], post: {} }));
    };
    const postOurs = () => post(ours, '/v1/investigations');
    const postBare = () => post({ ...bare, headers: { authorization: '' } }, '/jobs');
    await postOurs();
    await postBare();
    const posts = await alternate(context, 'POST /v1/investigations', rounds, {
      intake: postOurs,
      bare: postBare,
    });

    const ids = idsOf(await postBatch(context, world, 100));
    const keys = ids.map(() => `bench:${randomUUID()}`);
    for (const key of keys)
      await world.client.hset(key, { status: 'queued', doc: JSON.stringify({ ...plan }) });
    const get = async (target: Pick<typeof ours, 'origin' | 'headers'>, paths: string[]) =>
      ratePerSecond(await load.run({ ...plan, ...target, paths }));
    const getOurs = () =>
      get(
        ours,
        ids.map((id) => `/v1/investigations/${id}`),
      );
    const getBare = () =>
      get(
        { ...bare, headers: { authorization: '' } },
        keys.map((key) => `/hashes/${key}`),
      );
    await getOurs();
    await getBare();
    const gets = await alternate(context, 'GET /v1/investigations/{id}', rounds, {
      intake: getOurs,
      bare: getBare,
    });
    const series = (what: string, rounds: number[]) => ({ what, unit: '/s', rounds });
    return [
      shareRow(
        'POST /v1/investigations, 32 connections',
        series('requests', posts.intake),
        series('Express 5, queue.add', posts.bare),
        0.5,
      ),
      shareRow(
        'GET /v1/investigations/{id}, 32 connections',
        series('requests', gets.intake),
        series('Express 5, HGETALL', gets.bare),
        0.6,
      ),
    ];
  },
};
