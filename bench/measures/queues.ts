import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import type { BenchContext, Measure } from '../support/context.ts';
import { startLoadClient, type LoadClient } from '../support/load.ts';
import type { Row } from '../support/row.ts';
import { targetOf } from '../support/world.ts';
import {
  connectionsNamed,
  startClusterOfThree,
  startOneRedis,
  type RedisUnderBench,
} from '../queues/bench-redis.ts';
import { compareIntakes } from '../queues/compare-intakes.ts';
import {
  countIdle,
  judgeAll,
  runActive,
  sendArrivals,
  slowestScrape,
  untilCalled,
  untilFollowed,
} from '../queues/phases.ts';
import { openQueuesWorld, type BenchQueue, type QueuesWorld, type Services } from '../queues/queues-world.ts';
import { rowsOf, type AtRest, type QueuesResult } from '../queues/result-rows.ts';

/** 500 tenants with two operations each, beside one queue: on one Redis. */
export const queues: Measure = {
  name: 'queues',
  table: 'queues',
  run: (context) => run(context, startOneRedis),
};

/** The same on a Redis Cluster of three primaries with a replica each. */
export const queuesOnCluster: Measure = {
  name: 'queues-cluster',
  table: 'queues-cluster',
  run: (context) => run(context, startClusterOfThree),
};

const sizes = {
  usual: {
    tenants: 500,
    limit: 2,
    // Divides the minute, in which the simulator counts what is no investigation.
    windowMs: 30_000,
    active: 200,
    windows: 4,
    arrivals: 1_000,
    // What is done a minute after a queue was opened is over then.
    quietMs: 60_000,
    idleMs: 30_000,
  },
  quick: {
    tenants: 20,
    limit: 2,
    windowMs: 3_000,
    active: 10,
    windows: 2,
    arrivals: 40,
    quietMs: 1_000,
    idleMs: 1_000,
  },
} as const;

const followedWithinMs = 120_000;

type Sizes = (typeof sizes)['usual' | 'quick'];

async function run(context: BenchContext, startRedis: () => Promise<RedisUnderBench>): Promise<Row[]> {
  const size = context.isQuick ? sizes.quick : sizes.usual;
  const world = await openQueuesWorld(startRedis, size);
  const trickle = await startLoadClient();
  try {
    const single = await runOne(context, world, size);
    return await runMany(context, world, { size, trickle, single });
  } finally {
    await trickle.close();
    await world.close();
  }
}

type Single = AtRest & { ids: string[] };

async function runOne(context: BenchContext, world: QueuesWorld, size: Sizes): Promise<Single> {
  const services = await world.startServices(world.one);
  try {
    return await untilAtRest(context, world, { services, queues: world.one, size, quietMs: 0 });
  } finally {
    await services.stop();
  }
}

async function runMany(
  context: BenchContext,
  world: QueuesWorld,
  { size, trickle, single }: { size: Sizes; trickle: LoadClient; single: Single },
): Promise<Row[]> {
  const { say, load } = context;
  const services = await world.startServices(world.many);
  const fresh: ServiceProcess[] = [];
  try {
    const { ids, ...atRest } = await untilAtRest(context, world, {
      services,
      queues: world.many,
      size,
      quietMs: size.quietMs,
    });
    const [worker] = services.workers;
    const scrapes = {
      intake: await slowestScrape(load, targetOf(services.intake).origin, context.isQuick),
      worker: await slowestScrape(load, `http://127.0.0.1:${worker?.ready.port}`, context.isQuick),
    };
    say(`${size.active} queues with work for ${size.windows} windows, and arrivals in the others`);
    const clients = { fill: load, trickle };
    const active = world.many.slice(0, size.active);
    const found = await runActive(world, services.intake, clients, { active, windows: size.windows });
    const peaks = services.peaks();
    const all = await judgeAll(world, world.many);
    await services.stop();
    // Both anew: one that has worked for minutes would be compared with one that has not.
    for (const queues of [world.many, world.one]) fresh.push(await world.startIntakeOf(queues));
    const [many, one] = fresh as [ServiceProcess, ServiceProcess];
    const compared = await compareIntakes(context, {
      many: { intake: many, queues: world.many, ids },
      one: { intake: one, queues: world.one, ids: single.ids },
    });
    const result: QueuesResult = {
      ...size,
      queues: world.many.length,
      single,
      atRest,
      scrapes,
      peaks,
      ...found,
      all,
    };
    return [...rowsOf(result), ...compared];
  } finally {
    await services.stop();
    await Promise.all(fresh.map((intake) => intake.stop()));
  }
}

/** Has requests arrive in all of these queues, waits until they are called and nothing is due, and looks. */
async function untilAtRest(
  { say, load, isQuick }: BenchContext,
  world: QueuesWorld,
  {
    services,
    queues: asked,
    size,
    quietMs,
  }: { services: Services; queues: readonly BenchQueue[]; size: Sizes; quietMs: number },
): Promise<Single> {
  say(`${asked.length} queues: ${size.arrivals} arrivals`);
  const ids = await sendArrivals(load, services.intake, asked, size.arrivals);
  await untilCalled(world, asked, { calls: size.arrivals, withinMs: 60_000 });
  say(`${asked.length} queues: all are called`);
  // Half a minute at least, until results are read first.
  if (!isQuick) await untilFollowed(world, asked, followedWithinMs);
  await delay(size.windowMs + quietMs);
  say(`${asked.length} queues: nothing is due`);
  const idle = await countIdle(world.redis, size.idleMs);
  const connections = {
    worker: (await connectionsNamed(world.redis, 'diq-worker')) / services.workers.length,
    intake: await connectionsNamed(world.redis, 'diq-intake'),
  };
  say(`${asked.length} queues: ${idle.perSecond.toFixed(1)} commands a second (${idle.most})`);
  return { ids, idle, connections, peaks: services.peaks() };
}
