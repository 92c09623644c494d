import type { Measure } from '../support/context.ts';
import { batchLatency } from './batch-latency.ts';
import { batchProfile } from './batch-profile.ts';
import { batchStatus } from './batch-status.ts';
import { batches } from './batches.ts';
import { fullQueue } from './full-queue.ts';
import { intakeMemory } from './intake-memory.ts';
import { queues, queuesOnCluster } from './queues.ts';
import { redisMemory } from './redis-memory.ts';
import { scrape } from './scrape.ts';
import { singleRequests } from './single-requests.ts';
import { slots } from './slots.ts';
import { startUp } from './start-up.ts';
import { trace } from './trace.ts';

/** In the order in which they run and are reported. */
export const allMeasures: readonly Measure[] = [
  batches,
  batchLatency,
  singleRequests,
  batchStatus,
  redisMemory,
  fullQueue,
  scrape,
  intakeMemory,
  slots,
  startUp,
  batchProfile,
  queues,
  queuesOnCluster,
  trace,
];
