import { setTimeout as delay } from 'node:timers/promises';
import type { FaultWorld } from './fault-world.ts';
import { isTerminal } from './judge.ts';
import type { Evidence, RequestState } from './judge.ts';
import { meetWithinMs } from './judge-idle.ts';
import type { PastFault } from './judge-idle.ts';
import { isLostInLag } from './lag.ts';
import { startLoad } from './load.ts';
import type { Load, AcknowledgedRequest } from './load.ts';
import { startObserver } from './observer.ts';
import { createRandom } from './random.ts';
import { readDocuments, readRecorded } from './read-requests.ts';
import { scheduleArrivals } from './schedule.ts';
import type { Act, PlannedFault } from './schedule.ts';

export interface FaultRun {
  /** Plays acts under load, waits until all that was accepted is settled or should be, and gathers the evidence. */
  play(acts: readonly Act[]): Promise<Evidence>;
  readonly faults: readonly PastFault[];
  /** POSTs by how they ended. */
  posts(): Load['posts'];
  acknowledged(): number;
  stop(): Promise<void>;
}

export interface FaultRunOptions {
  readonly seed: number;
  /** Share of the quota that the arrivals ask for, all in all: the rest is for what the faults cost. */
  readonly share: number;
  /** Called with each fault when it begins. */
  onFault?(fault: PlannedFault): void;
}

const sampleEveryMs = 1_000;
const samples = 5;

export function startFaultRun(world: FaultWorld, options: FaultRunOptions): FaultRun {
  const { seed, share } = options;
  const perSecond = (share * world.limit * 1_000) / world.windowMs;
  const arrivals = scheduleArrivals(seed, { perSecond });
  const observer = startObserver(world);
  const loads: Load[] = [];
  const faults: PastFault[] = [];
  const seenTerminal = new Map<string, RequestState>();
  const lostBeforeErasing: string[] = [];
  const acknowledged = () => loads.flatMap((load) => load.acknowledged);
  const remember = (states: Iterable<RequestState>) => {
    for (const state of states) {
      if (isTerminal(state) && !seenTerminal.has(state.id)) seenTerminal.set(state.id, state);
    }
  };

  world.beforeErasing(async () => {
    const before = acknowledged();
    const recorded = await readRecorded(world);
    remember(recorded);
    const present = new Set(recorded.map(({ id }) => id));
    const since = world.forgottenUntilMs();
    const gone = before.filter(({ id, postedAtMs }) => postedAtMs > since && !present.has(id));
    const lost = gone.filter((request) => !isLostInLag(request, world.lags));
    lostBeforeErasing.push(...lost.map(({ id }) => id));
  });

  async function make({ fault, afterMs, seed }: PlannedFault): Promise<void> {
    await delay(afterMs);
    options.onFault?.({ fault, afterMs, seed });
    const past = { name: fault.name, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY };
    const recoveryMs = fault.recoveryMs?.(world) ?? meetWithinMs;
    const index = faults.push({ ...past, recoveryMs }) - 1;
    await fault.run(world, createRandom(seed));
    faults[index] = { ...past, toMs: Date.now(), recoveryMs };
  }

  async function sampleUntil(isOver: () => boolean): Promise<void> {
    const random = createRandom(seed);
    while (!isOver()) {
      await delay(sampleEveryMs);
      const all = acknowledged();
      const ids = all.length === 0 ? [] : Array.from({ length: samples }, () => random.pick(all).id);
      // Redis or the intakes may be away: then there is nothing to see.
      remember((await readDocuments(world, ids).catch(() => new Map<string, RequestState>())).values());
    }
  }

  return {
    faults,
    acknowledged: () => acknowledged().length,
    posts: () => loads.reduce((sum, { posts }) => addPosts(sum, posts), { accepted: 0, refused: 0, lost: 0 }),
    async play(acts) {
      const load = startLoad(world, arrivals, { round: loads.length + 1, seed: seed + loads.length });
      loads.push(load);
      let isOver = false;
      const sampling = sampleUntil(() => isOver);
      for (const act of acts) {
        await Promise.all(act.faults.map(make));
        await delay(act.calmMs);
      }
      await load.stop();
      await untilDrained(world, observer);
      isOver = true;
      await sampling;
      const evidence = await gather(world, acknowledged(), {
        seenTerminal,
        observer,
        faults,
        lostBeforeErasing,
      });
      remember(evidence.documents.values());
      return evidence;
    },
    stop: () => observer.stop(),
  };
}

type Watched = Pick<Evidence, 'faults' | 'lostBeforeErasing'> & {
  seenTerminal: ReadonlyMap<string, RequestState>;
  observer: ReturnType<typeof startObserver>;
};

async function gather(
  world: FaultWorld,
  acknowledged: readonly AcknowledgedRequest[],
  watched: Watched,
): Promise<Evidence> {
  const ids = acknowledged.map(({ id }) => id);
  return {
    limit: world.limit,
    windowMs: world.windowMs,
    reconcileGraceMs: world.reconcileGraceMs,
    calls: await world.simulatorLog.calls(),
    investigations: await world.simulatorLog.investigations(),
    acknowledged,
    documents: await readDocuments(world, ids),
    recorded: await readRecorded(world),
    seenTerminal: [...watched.seenTerminal.values()],
    idle: watched.observer.idle,
    faults: watched.faults,
    lostBeforeErasing: watched.lostBeforeErasing,
    crashes: [...world.workerFleet.crashes, ...world.intakeFleet.crashes],
    forgottenUntilMs: world.forgottenUntilMs(),
    lags: world.lags,
  };
}

/** Beside the time for the calls themselves: for what the last fault left behind, locks and holds that have to run out. */
const drainMs = 60_000;

/** Resolves as soon as nothing is open, or when it takes too long: what is open then is for the judge. */
async function untilDrained(world: FaultWorld, { look }: ReturnType<typeof startObserver>): Promise<void> {
  let endMs: number | undefined;
  for (;;) {
    const view = await look().catch(() => undefined);
    if (view && view.waiting + view.inFlight + view.reconciling === 0) return;
    endMs ??= Date.now() + drainMs + ((view?.waiting ?? 0) * 2 * world.windowMs) / world.limit;
    if (Date.now() > endMs) return;
    await delay(100);
  }
}

function addPosts(sum: Load['posts'], posts: Load['posts']): Load['posts'] {
  return {
    accepted: sum.accepted + posts.accepted,
    refused: sum.refused + posts.refused,
    lost: sum.lost + posts.lost,
  };
}
