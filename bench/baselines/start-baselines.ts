import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BulkPlan } from './bare-bullmq.ts';
import type { Asked, BaselinesPlan } from './replay-baselines.ts';

/** The bare program of `bare-bullmq.ts`, running. */
export interface BareBullMq {
  readonly origin: string;
  /** How long it took, in ms. */
  addBulk(plan: BulkPlan): Promise<number>;
  stop(): Promise<void>;
}

export async function startBareBullMq(redisUrl: string): Promise<BareBullMq> {
  const child = start('bare-bullmq.ts', { REDIS_URL: redisUrl });
  const [port] = (await once(child, 'message')) as [number];
  return {
    origin: `http://127.0.0.1:${port}`,
    async addBulk(plan) {
      child.send(plan);
      const [elapsedMs] = (await once(child, 'message', { signal: AbortSignal.timeout(120_000) })) as [
        number,
      ];
      return elapsedMs;
    },
    stop: () => stop(child),
  };
}

/** Resolves when its workers are about to call. */
export async function startNaiveBottleneck(
  env: Record<'REDIS_URL' | 'ORIGIN' | 'LIMIT' | 'WINDOW_MS' | 'CALLS', string>,
): Promise<{ stop(): Promise<void> }> {
  const child = start('naive-bottleneck.ts', env);
  await once(child, 'message');
  return { stop: () => stop(child) };
}

/** Resolves when all of them take requests. */
export async function startReplayBaselines(
  plan: BaselinesPlan,
): Promise<{ ask(asked: Asked): void; pid: number | undefined; stop(): Promise<void> }> {
  const child = start('replay-baselines.ts', {});
  await once(child, 'message');
  child.send(plan);
  await once(child, 'message', { signal: AbortSignal.timeout(60_000) });
  return { ask: (asked) => void child.send(asked), pid: child.pid, stop: () => stop(child) };
}

type Child = ReturnType<typeof start>;

function start(file: string, env: Record<string, string>) {
  return fork(fileURLToPath(new URL(file, import.meta.url)), {
    env: { PATH: process.env['PATH'], ...env },
  });
}

async function stop(child: Child): Promise<void> {
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}
