import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Measure } from '../support/context.ts';
import { postBatch } from '../support/post-batch.ts';
import { startBenchRedis, startIntake, targetOf } from '../support/world.ts';

const profile = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** Where the time of large batches goes: in the intake by package (`node --cpu-prof`), and in Redis by command. */
export const batchProfile: Measure = {
  name: 'batch-profile',
  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), 'diq-profile-'));
    const redis = await startBenchRedis();
    try {
      const intake = await startIntake(redis.url, ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
      const world = { target: targetOf(intake) };
      const times = context.isQuick ? 1 : 10;
      for (let i = 0; i < times; i += 1) await postBatch(context, world, context.isQuick ? 200 : 10_000);
      await intake.stop();
      const [file = ''] = await readdir(folder);
      const shares = sharesIn(profile.parse(JSON.parse(await readFile(join(folder, file), 'utf8'))));
      for (const [place, ms] of shares.functions) context.say(`  ${ms.toFixed(0).padStart(6)} ms  ${place}`);
      return shares.parts.map(([part, ms]) => ({
        what: `CPU of the intake, ${times} batches of 10,000: ${part}`,
        measured: { what: 'of the time it was busy', unit: '%', rounds: [(100 * ms) / shares.busyMs] },
        mark: '',
        isReached: true,
      }));
    } finally {
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** The time spent in each function itself, and in each part of the program, in ms; the greatest first. */
function sharesIn({ nodes, samples, timeDeltas }: z.output<typeof profile>) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const parts = new Map<string, number>();
  let busyMs = 0;
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id);
    if (!frame || frame.functionName === '(idle)' || frame.functionName === '(root)') continue;
    const ms = (timeDeltas[i] ?? 0) / 1_000;
    const part = partOf(frame);
    const place = `${part}: ${frame.functionName || '(anonymous)'}:${frame.lineNumber + 1}`;
    busyMs += ms;
    functions.set(place, (functions.get(place) ?? 0) + ms);
    parts.set(part, (parts.get(part) ?? 0) + ms);
  }
  const top = (of: Map<string, number>, count: number) =>
    [...of].toSorted((a, b) => b[1] - a[1]).slice(0, count);
  return { busyMs, functions: top(functions, 25), parts: top(parts, 8) };
}

function partOf({ url, functionName }: { url: string; functionName: string }): string {
  const installed = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (installed !== undefined) return installed;
  const own = /\/((?:services|shared)\/[^/]+)\//.exec(url)?.[1];
  if (own !== undefined) return own;
  return url.startsWith('node:')
    ? 'node'
    : functionName === '(garbage collector)'
      ? 'garbage collection'
      : 'engine';
}
