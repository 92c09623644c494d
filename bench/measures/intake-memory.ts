import { setTimeout as delay } from 'node:timers/promises';
import type { Measure } from '../support/context.ts';
import { refuseFailures } from '../support/load.ts';
import { residentMegabytes } from '../support/resident-memory.ts';
import { startBenchRedis, startIntake, targetOf } from '../support/world.ts';

const sampleEveryMs = 25;
const mostMegabytes = 150;

/** The resident memory of an intake while ten of the largest batches come one after the other, and after them. */
export const intakeMemory: Measure = {
  name: 'intake-memory',
  async run({ load, isQuick, say }) {
    const redis = await startBenchRedis();
    const intake = await startIntake(redis.url);
    try {
      await delay(isQuick ? 100 : 3_000);
      const idle = await residentMegabytes(intake.child.pid);
      const samples: number[] = [];
      const sampling = setInterval(() => {
        void residentMegabytes(intake.child.pid).then((size) => samples.push(size));
      }, sampleEveryMs);
      const plan = { ...targetOf(intake), paths: ['/v1/batches'], connections: 1, durationMs: 0 };
      const itemsPerBatch = isQuick ? 200 : 10_000;
      refuseFailures(await load.run({ ...plan, times: 10, post: { itemsPerBatch } }));
      clearInterval(sampling);
      const peak = Math.max(idle, ...samples);
      say(
        `intake memory: idle ${idle.toFixed(0)} MB, at most ${peak.toFixed(0)} MB, waiting for it to go back`,
      );
      const afterS = isQuick ? 0 : 45;
      await delay(afterS * 1_000);
      const after = await residentMegabytes(intake.child.pid);
      const series = (what: string, value: number) => ({ what, unit: 'MB', rounds: [value] });
      return [
        {
          what: 'Intake memory during 10 batches of 10,000',
          measured: series('more than idle, at most', peak - idle),
          baseline: series('idle', idle),
          mark: `+ ≤ ${mostMegabytes} MB`,
          isReached: peak - idle <= mostMegabytes,
        },
        {
          what: `Intake memory ${afterS} s after them`,
          measured: series('more than idle', after - idle),
          baseline: series('idle', idle),
          mark: 'back: + ≤ 50 MB',
          isReached: after - idle <= 50,
        },
      ];
    } finally {
      await intake.stop();
      await redis.stop();
    }
  },
};
