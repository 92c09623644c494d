import { setTimeout as delay } from 'node:timers/promises';
import { callbackEnvironment } from '@diq/intake-api/test-support/callback-environment.ts';
import { openReceiver, type Receiver } from '@diq/intake-api/callbacks/test-support/receiver.ts';
import { startFaultWorld, type FaultWorld } from '../fault-world.ts';
import type { Fault } from '../faults/fault.ts';
import { createRandom, type Random } from '../random.ts';
import { scheduleRound } from '../schedule.ts';
import type { Delivered, ShownRequest } from './asked.ts';
import { startHappenings, type Happenings } from './happenings.ts';
import { judgeOrder, type OrderJudgement } from './judge-order.ts';
import { judgeResults, type ResultEvidence, type ResultViolation } from './judge-results.ts';
import { contraryPlan, mixed, mixedPlan, type Plan } from './plan.ts';
import { readShown } from './read-shown.ts';
import { startResultsLoad, type ResultsLoad } from './results-load.ts';
import { readTruth } from './truth.ts';

/** `following`: every operation, with callbacks. `machine-order`: contrary actions on few machines. */
export const resultsRunNames = ['following', 'machine-order'] as const;

export type ResultsRunName = (typeof resultsRunNames)[number];

export interface ResultsRunOptions {
  readonly name: ResultsRunName;
  readonly seed: number;
  readonly forMs: number;
  readonly faults: readonly Fault[];
  readonly machines: number;
  /** Between two posts about one machine, on average. */
  readonly betweenMs: number;
  onFault?(name: string): void;
}

export interface ResultsRun {
  readonly violations: readonly ResultViolation[];
  readonly evidence: ResultEvidence;
  readonly order: OrderJudgement;
  readonly load: Pick<ResultsLoad, 'posts' | 'cancellations'>;
  readonly happened: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
  readonly calls: number;
}

const actionMs = 1_500;
/** Defender's limits for one application in one tenant; all of them may be used here. */
const readLimits = [
  { calls: 100, windowMs: 60_000 },
  { calls: 1_500, windowMs: 3_600_000 },
];
const sampleEveryMs = 400;
const samplesEach = 8;
const latest = 150;
const drainMs = 4 * 60_000;

/** Plays faults under load, waits until everything has its end or should have it, and judges. */
export async function runResults(options: ResultsRunOptions): Promise<ResultsRun> {
  const receiver =
    options.name === 'following' ? await openReceiver({ answer: sometimesBusy(options.seed) }) : undefined;
  const world = await startFaultWorld(worldOptions(receiver)).catch(async (error: unknown) => {
    await receiver?.close();
    throw error;
  });
  try {
    return await play(world, options, receiver);
  } finally {
    await world.stop();
    await receiver?.close();
  }
}

async function play(
  world: FaultWorld,
  options: ResultsRunOptions,
  receiver: Receiver | undefined,
): Promise<ResultsRun> {
  const random = createRandom(options.seed);
  const plan = planOf(options, random);
  const { machines } = plan;
  const happenings = startHappenings(world, { machines, random: createRandom(options.seed + 1), actionMs });
  const load = startResultsLoad(world, {
    plan,
    seed: options.seed,
    cancelledShare: 0.08,
    ...(receiver && { callbackUrl: receiver.url() }),
  });
  const samples: ResultEvidence['samples'][number][] = [];
  let isOver = false;
  const sampling = sampleUntil(world, load, samples, () => isOver);
  const faults = await playFaults(world, options, random);
  await load.stop();
  await happenings.stop();
  await world.control.clearFaults();
  const shown = await untilEnded(world, load);
  isOver = true;
  await sampling;
  if (receiver) await untilDelivered(receiver, shown);
  const evidence: ResultEvidence = {
    asked: load.asked,
    shown,
    samples,
    truth: await readTruth(world.simulatorLog),
    actions: await world.simulatorLog.actions(),
    delivered: receiver && deliveredTo(receiver),
    reads: await world.simulatorLog.reads(),
    readLimits,
    crashes: [...world.workerFleet.crashes, ...world.intakeFleet.crashes],
  };
  const judgement = await world.simulatorLog.judgement();
  const order = judgeOrder({ asked: load.asked, shown, judgement });
  return {
    violations: [...judgeResults(evidence), ...order.violations],
    evidence,
    order,
    load,
    happened: merged(happenings, world),
    faults,
    calls: (await world.simulatorLog.calls()).length,
  };
}

function planOf({ name, machines, betweenMs }: ResultsRunOptions, random: Random): Plan {
  return (name === 'following' ? mixedPlan : contraryPlan)(random, machines, betweenMs);
}

function merged(happenings: Happenings, { tallies }: FaultWorld): ReadonlyMap<string, number> {
  return new Map([...happenings.counts, ...tallies]);
}

async function playFaults(
  world: FaultWorld,
  { faults, forMs, onFault }: ResultsRunOptions,
  random: Random,
): Promise<string[]> {
  const played: string[] = [];
  const untilMs = Date.now() + forMs;
  const isOver = () => Date.now() >= untilMs;
  while (!isOver()) {
    for (const act of scheduleRound(random, faults)) {
      if (isOver()) break;
      await Promise.all(
        act.faults.map(async ({ fault, afterMs, seed }) => {
          await delay(afterMs);
          onFault?.(fault.name);
          played.push(fault.name);
          await fault.run(world, createRandom(seed));
        }),
      );
      await delay(act.calmMs);
    }
    if (faults.length === 0) await delay(Math.max(0, untilMs - Date.now()));
  }
  return played;
}

async function sampleUntil(
  world: FaultWorld,
  { asked }: ResultsLoad,
  samples: ResultEvidence['samples'][number][],
  isOver: () => boolean,
): Promise<void> {
  const random = createRandom(asked.length);
  while (!isOver()) {
    await delay(sampleEveryMs);
    const recent = asked.slice(-latest);
    if (recent.length === 0) continue;
    const ids = Array.from({ length: samplesEach }, () => random.pick(recent).id);
    // Redis or the intakes may be away: then there is nothing to see.
    const shown = await readShown(world, [...new Set(ids)]).catch(() => new Map<string, ShownRequest>());
    const truth = await readTruth(world.simulatorLog);
    for (const one of shown.values())
      samples.push({ shown: one, truth: one.result && truth.get(one.result.id)?.outcome });
  }
}

const ends = new Set(['failed', 'unknown', 'cancelled', 'expired']);

function isEnded({ status, result }: ShownRequest): boolean {
  return ends.has(status) || (result?.outcome !== undefined && result.outcome !== 'running');
}

/** What is open when it takes too long is for the judge. */
async function untilEnded(world: FaultWorld, { asked }: ResultsLoad): Promise<Map<string, ShownRequest>> {
  const shown = new Map<string, ShownRequest>();
  const giveUpMs = Date.now() + drainMs;
  for (;;) {
    const open = asked.map(({ id }) => id).filter((id) => !isEndedIn(shown, id));
    const read = await readShown(world, open).catch(() => new Map<string, ShownRequest>());
    for (const [id, one] of read) shown.set(id, one);
    if (asked.every(({ id }) => isEndedIn(shown, id)) || Date.now() > giveUpMs) break;
    await delay(500);
  }
  // Once more: an end stays as it is.
  return await readShown(
    world,
    asked.map(({ id }) => id),
  );
}

function isEndedIn(shown: ReadonlyMap<string, ShownRequest>, id: string): boolean {
  const one = shown.get(id);
  return one !== undefined && isEnded(one);
}

/** A delivery that was refused is tried again after 5 s, then 30 s. */
async function untilDelivered(receiver: Receiver, shown: ReadonlyMap<string, ShownRequest>): Promise<void> {
  const giveUpMs = Date.now() + 60_000;
  const wanted = [...shown.values()].reduce(
    (sum, { result }) => sum + (result?.outcome === undefined ? 1 : 2),
    0,
  );
  while (Date.now() < giveUpMs) {
    if (new Set(deliveredTo(receiver).map(({ deliveryId }) => deliveryId)).size >= wanted) break;
    await delay(250);
  }
  // What is delivered once too often comes soon, if it comes.
  await delay(2_000);
}

function deliveredTo({ arrivals }: Receiver): Delivered[] {
  return arrivals.map(({ headers, body }) => {
    const { type, data } = JSON.parse(body) as {
      type: string;
      data: { id: string; result?: { outcome?: string } };
    };
    const deliveryId = String(headers['webhook-id']);
    return { deliveryId, type, requestId: data.id, outcome: data.result?.outcome };
  });
}

/** One in twenty deliveries is refused at first. */
function sometimesBusy(seed: number) {
  const random = createRandom(seed);
  return () => ({ status: random.chance(0.05) ? 503 : 204 });
}

function worldOptions(receiver: Receiver | undefined): Parameters<typeof startFaultWorld>[0] {
  const operations = { DEFENDER_OPERATIONS: mixed.join(',') };
  return {
    limit: 5,
    windowMs: 3_000,
    callTimeoutMs: 1_000,
    workers: 3,
    intakes: 2,
    env: {
      simulator: {
        SIMULATOR_ACTION_TIME: `${actionMs}ms`,
        SIMULATOR_ACTION_PENDING_TIME: '300ms',
        SIMULATOR_INVESTIGATION_TIME: '3s',
        SIMULATOR_ON_RUNNING: 'refuse',
      },
      worker: { ...operations, FOLLOW_UP_EVERY: '1s', DEFENDER_READ_SHARE: '1', LOOK_BEFORE_CALL: 'off' },
      intake: {
        ...operations,
        ...(receiver && { ...callbackEnvironment(receiver.port), CALLBACK_MAX_PER_MINUTE: '10000' }),
      },
    },
  };
}
