import { z } from 'zod';
import type { BenchContext } from './context.ts';
import { refuseFailures } from './load.ts';
import type { World } from './world.ts';

const answer = z.object({ id: z.string(), items: z.array(z.object({ id: z.string() })) });

/** A batch that was accepted whole. */
export type PostedBatch = z.output<typeof answer>;

export async function postBatch(
  { load }: Pick<BenchContext, 'load'>,
  world: Pick<World, 'target'>,
  size: number,
): Promise<PostedBatch> {
  const result = await load.run({
    ...world.target,
    paths: ['/v1/batches'],
    connections: 1,
    durationMs: 0,
    times: 1,
    post: { itemsPerBatch: size },
    keepAnswers: true,
  });
  refuseFailures(result);
  return answer.parse(result.answers[0]);
}

export function idsOf(batch: PostedBatch): string[] {
  return batch.items.map(({ id }) => id);
}
