import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { refuseFailures, type LoadClient } from '../support/load.ts';
import { targetOf } from '../support/world.ts';
import { commandCounts, type RedisUnderBench } from './bench-redis.ts';
import { judgeCalls, countViolations, type JudgedCalls } from './judge-calls.ts';
import { loggedName, type ArrivedCall } from './many-defenders.ts';
import { namedIn, type BenchQueue, type QueuesWorld } from './queues-world.ts';

const accepted = z.object({ id: z.string() });

export const requestsPath = ({ tenant }: BenchQueue) => `/v1/tenants/${tenant.name}/requests`;

/** One request after the other, over these queues in turns; their ids. */
export async function sendArrivals(
  load: LoadClient,
  intake: ServiceProcess,
  queues: readonly BenchQueue[],
  times: number,
): Promise<string[]> {
  const result = await load.run({
    ...targetOf(intake),
    paths: queues.map(requestsPath),
    connections: 4,
    durationMs: 0,
    times,
    post: { more: queues.map(namedIn) },
    keepAnswers: true,
    pauseMs: 60,
  });
  refuseFailures(result);
  return result.answers.map((answer) => accepted.parse(answer).id);
}

/** Commands per second while nothing is due, and which they are. */
export async function countIdle(
  redis: RedisUnderBench,
  forMs: number,
): Promise<{ perSecond: number; most: string }> {
  const before = await commandCounts(redis);
  const fromMs = performance.now();
  await delay(forMs);
  const after = await commandCounts(redis);
  const seconds = (performance.now() - fromMs) / 1_000;
  const rates = [...after]
    .map(([name, calls]) => ({ name, rate: (calls - (before.get(name) ?? 0)) / seconds }))
    .toSorted((one, other) => other.rate - one.rate);
  const perSecond = rates.reduce((sum, { rate }) => sum + rate, 0);
  const most = rates.slice(0, 4).map(({ name, rate }) => `${name} ${rate.toFixed(1)}`);
  return { perSecond, most: most.join(', ') };
}

const scrapes = 20;

/** How long a scrape of a service takes, the slowest of some, in ms. */
export async function slowestScrape(load: LoadClient, origin: string, isQuick: boolean): Promise<number> {
  const plan = { paths: ['/metrics'], connections: 1, durationMs: 0, times: isQuick ? 2 : scrapes };
  const result = await load.run({ ...plan, origin, headers: {} });
  refuseFailures(result);
  return Math.max(...result.latenciesMs);
}

/** What came of a time in which some queues had work all along, and all others a request now and then. */
export interface ActiveTime {
  /** Of the queues with work, from its beginning on. */
  judged: JudgedCalls[];
  /** Of POSTs meanwhile, in ms. */
  latenciesMs: number[];
}

/** At the same time. */
const fillers = 2;

/**
 * Fills these queues for so many windows and more, and has requests arrive in the others meanwhile. They are filled one after
 * the other over one window, as tenants know nothing of each other: their slots do not open at one moment.
 */
export async function runActive(
  world: QueuesWorld,
  intake: ServiceProcess,
  { fill, trickle }: { fill: LoadClient; trickle: LoadClient },
  { active, windows }: { active: readonly BenchQueue[]; windows: number },
): Promise<ActiveTime> {
  const { limit = 0, windowMs = 0 } = active[0]?.tenant ?? {};
  const fromMs = Date.now();
  const others = world.many.filter((queue) => !active.includes(queue));
  const durationMs = (windows + 1.5) * windowMs;
  const target = targetOf(intake);
  const arriving = trickle.run({
    ...target,
    paths: others.map(requestsPath),
    connections: 1,
    durationMs,
    post: { more: others.map(namedIn) },
    pauseMs: 200,
  });
  const filled = await fill.run({
    ...target,
    paths: active.map(({ tenant }) => `/v1/tenants/${tenant.name}/batches`),
    connections: fillers,
    durationMs: 0,
    times: active.length,
    post: { itemsPerBatch: limit * (windows + 3), more: active.map(batchOf) },
    pauseMs: (fillers * windowMs) / active.length,
  });
  refuseFailures(filled);
  const arrived = await arriving;
  refuseFailures(arrived);
  const endMs = Date.now();
  const judged: JudgedCalls[] = [];
  for (const queue of active) {
    const counted = await countedSince(world.redis, queue, fromMs);
    const calls = (await callsOf(world, queue)).filter(({ wallMs }) => wallMs >= fromMs && wallMs <= endMs);
    judged.push(judgeCalls(calls, counted, { limit, windowMs, endMs }));
  }
  return { judged, latenciesMs: arrived.latenciesMs };
}

/** Calls of these queues that should not have been made, by the logs of their Defenders; and all that were. */
export async function judgeAll(
  { defenders }: QueuesWorld,
  queues: readonly BenchQueue[],
): Promise<{ calls: number; violations: number }> {
  let [made, violations] = [0, 0];
  for (const tenant of new Set(queues.map((queue) => queue.tenant))) {
    for (const calls of (await defenders.callsOf(tenant)).values()) {
      made += calls.length;
      violations += countViolations(calls, tenant);
    }
  }
  return { calls: made, violations };
}

/** Resolves when so many calls have been made in these queues. @throws Error when that takes too long */
export async function untilCalled(
  world: QueuesWorld,
  queues: readonly BenchQueue[],
  { calls, withinMs }: { calls: number; withinMs: number },
): Promise<void> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const found = await judgeAll(world, queues);
    if (found.calls >= calls) return;
    if (performance.now() > untilMs) throw new Error(`${found.calls} of ${calls} requests were called`);
    await delay(2_000);
  }
}

/** Resolves when the end of every result was read. @throws Error when that takes too long */
export async function untilFollowed(
  { redis }: QueuesWorld,
  queues: readonly BenchQueue[],
  withinMs: number,
): Promise<void> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const counts = await Promise.all(
      queues.map(async ({ keySpace }) => (await redis.nodeOf(keySpace)).zcard(storeKeys(keySpace).results)),
    );
    const open = counts.reduce((sum, count) => sum + count, 0);
    if (open === 0) return;
    if (performance.now() > untilMs) throw new Error(`${open} results were not followed to their end`);
    await delay(2_000);
  }
}

async function callsOf({ defenders }: QueuesWorld, queue: BenchQueue): Promise<ArrivedCall[]> {
  return (await defenders.callsOf(queue.tenant)).get(loggedName(queue.operation)) ?? [];
}

function batchOf(queue: BenchQueue): object {
  const { parameters, ...named } = namedIn(queue) as { parameters?: object };
  return parameters === undefined ? named : { ...named, defaults: { parameters } };
}

/** From when the ledger counts the calls that it has seen since, in ms since 1970, ascending. */
async function countedSince(redis: RedisUnderBench, queue: BenchQueue, fromMs: number): Promise<number[]> {
  const node = await redis.nodeOf(queue.keySpace);
  const found = await node.zrangebyscore(ledgerKeys(queue.keySpace).calls, fromMs, '+inf', 'WITHSCORES');
  return found.filter((_, i) => i % 2 === 1).map(Number);
}
