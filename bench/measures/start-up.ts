import { startSimulator, startWorker } from '@diq/testing/service-process.ts';
import { alternate } from '../support/context.ts';
import type { Measure } from '../support/context.ts';
import { median } from '../support/statistics.ts';
import { openDefender } from '../support/defender.ts';
import { startBenchRedis, startIntake } from '../support/world.ts';

/** From starting the process to its announcement that it answers. */
export const startUp: Measure = {
  name: 'start-up',
  async run(context) {
    const redis = await startBenchRedis();
    const defender = await openDefender(redis.url, { limit: 5, windowMs: 3_600_000 }, startSimulator);
    const timed = async (start: () => Promise<{ stop(): Promise<unknown> }>) => {
      const startedAt = performance.now();
      const service = await start();
      const elapsedMs = performance.now() - startedAt;
      await service.stop();
      return elapsedMs;
    };
    try {
      const values = await alternate(context, 'start to ready', context.rounds, {
        intake: () => timed(() => startIntake(redis.url)),
        worker: () => timed(() => startWorker(defender.workerEnv)),
      });
      return (['intake', 'worker'] as const).map((name) => ({
        what: `Start to ready: ${name}`,
        measured: { what: 'ready after', unit: 'ms', rounds: values[name] },
        mark: '< 2 s',
        isReached: median(values[name]) < 2_000,
      }));
    } finally {
      await defender.close();
      await redis.stop();
    }
  },
};
