import { setTimeout as delay } from 'node:timers/promises';
import { createQueueClient, groupsOf, type AskedRequest, type EndedRequest } from './ask-queue.ts';
import { openReplayWorld, systems, type ReplayWorld, type System } from './replay-world.ts';
import { cpuSecondsOf } from './cpu-seconds.ts';
import type { Trace, TraceRequest } from './trace-request.ts';

export interface ReplayOptions {
  traces: readonly Trace[];
  slotsPerHour: number;
  /** An hour of the trace takes so long. */
  hourMs: number;
  settings?: Readonly<Record<string, string>>;
  say(text: string): void;
}

/** A call as it arrived at a Defender, in seconds of the trace. */
export interface ReplayedCall {
  atSeconds: number;
  /** By a clock that only runs forward, in ms of the replay: for judging the limit. */
  atMs: number;
  machineId: string;
  status: number | string;
}

/** What happened to one trace, and to what still waited then until it was looked at. */
export interface Replayed {
  trace: Trace;
  /** Wall clock at its beginning, ms. */
  beganAtMs: number;
  calls: Readonly<Record<System, readonly ReplayedCall[]>>;
  /** Of the queue under test. */
  ends: readonly EndedRequest[];
}

export interface ReplayResult {
  replayed: readonly Replayed[];
  hourMs: number;
  slotsPerHour: number;
  /** How late a request was sent at most, in ms of the replay. */
  latestMs: number;
  /** Processor time, in seconds. */
  cpuSeconds: Readonly<Record<string, number>>;
  tookSeconds: number;
}

/** Calls that begin just before the end are still to arrive. */
const settleMs = 500;
const sayEveryMs = 15_000;

/** Replays all traces at once, each to all systems, and looks at what arrived at their Defenders. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { traces, hourMs, slotsPerHour, say } = options;
  const names = traces.map(({ name }) => name);
  const world = await openReplayWorld({ names, slotsPerHour, hourMs, settings: options.settings ?? {} });
  try {
    await tellOfflineMachines(world, traces);
    const beganAtMs = Date.now();
    const hours = Math.max(...traces.map((trace) => trace.hours));
    const progress = setInterval(() => {
      const hour = (Date.now() - beganAtMs) / hourMs;
      say(`hour ${hour.toFixed(0)} of ${hours} (day ${1 + Math.floor(hour / 24)})`);
    }, sayEveryMs);
    try {
      const players = await Promise.all(
        traces.map((_, i) => play(world, traces[i], i, { beganAtMs, hourMs })),
      );
      await delay(Math.max(0, beganAtMs + hours * hourMs + settleMs - Date.now()));
      const cpuSeconds = await cpuSecondsOf(world.pids);
      const replayed = await Promise.all(
        players.map((player, i) => collect(world, { ...player, i, beganAtMs, hourMs })),
      );
      return {
        replayed,
        hourMs,
        slotsPerHour,
        latestMs: Math.max(...players.map(({ latestMs }) => latestMs)),
        cpuSeconds,
        tookSeconds: (Date.now() - beganAtMs) / 1_000,
      };
    } finally {
      clearInterval(progress);
    }
  } finally {
    await world.close();
  }
}

async function tellOfflineMachines({ defenders, tenantOf }: ReplayWorld, traces: readonly Trace[]) {
  for (const [i, { requests }] of traces.entries()) {
    const offline = new Set(
      requests.filter(({ machine }) => machine === 'offline').map((one) => one.machineId),
    );
    for (const id of offline) {
      await Promise.all(
        systems.map((system) =>
          defenders.tell(tenantOf(system, i), '/machines', { id, healthStatus: 'Inactive' }),
        ),
      );
    }
  }
}

interface Played {
  trace: Trace;
  asked: AskedRequest[];
  latestMs: number;
}

/** Sends each group at its time to all systems. @throws Error when the queue refuses one */
async function play(
  world: ReplayWorld,
  trace: Trace | undefined,
  i: number,
  { beganAtMs, hourMs }: { beganAtMs: number; hourMs: number },
): Promise<Played> {
  if (trace === undefined) throw new Error('no trace');
  const client = createQueueClient(world.target, world.tenantOf('queue', i).name);
  const asked: AskedRequest[] = [];
  const sending: Promise<void>[] = [];
  const failures: unknown[] = [];
  let latestMs = 0;
  for (const group of groupsOf(trace)) {
    const dueMs = beganAtMs + ((group[0]?.atSeconds ?? 0) * hourMs) / 3_600;
    const waitMs = dueMs - Date.now();
    if (waitMs > 0) await delay(waitMs);
    if (failures.length > 0) throw failures[0];
    latestMs = Math.max(latestMs, Date.now() - dueMs);
    sending.push(
      sendToAll(world, i, group, client.ask).then(
        (answers) => void asked.push(...answers),
        (error: unknown) => void failures.push(error),
      ),
    );
  }
  await Promise.all(sending);
  await client.close();
  if (failures.length > 0) throw failures[0];
  return { trace, asked, latestMs };
}

async function sendToAll(
  { defenders, tenantOf, baselines }: ReplayWorld,
  i: number,
  group: readonly TraceRequest[],
  ask: (requests: readonly TraceRequest[]) => Promise<AskedRequest[]>,
): Promise<AskedRequest[]> {
  // Another program has begun just before.
  for (const { machineId } of group.filter(({ machine }) => machine === 'under_investigation')) {
    await Promise.all(
      systems.map((system) => defenders.tell(tenantOf(system, i), '/investigations', { machineId })),
    );
  }
  const machines = group.map(({ machineId, priority }) => ({ machineId, priority }));
  for (const system of ['fifo', 'fixed', 'soar'] as const) baselines.ask({ key: `${system}-${i}`, machines });
  return ask(group);
}

async function collect(
  world: ReplayWorld,
  { trace, asked, i, beganAtMs, hourMs }: Played & { i: number; beganAtMs: number; hourMs: number },
): Promise<Replayed> {
  const client = createQueueClient(world.target, world.tenantOf('queue', i).name);
  // Before the calls: each of which it speaks stands in the log then.
  const ends = await client.readEnds(asked);
  await client.close();
  const calls: Partial<Record<System, readonly ReplayedCall[]>> = {};
  await Promise.all(
    systems.map(async (system) => {
      const byOperation = await world.defenders.callsOf(world.tenantOf(system, i));
      const found = byOperation.get('initiateinvestigation') ?? [];
      calls[system] = found.map(({ wallMs, atMs, machineId, status }) => ({
        atSeconds: ((wallMs - beganAtMs) * 3_600) / hourMs,
        atMs,
        machineId,
        status,
      }));
    }),
  );
  return { trace, beganAtMs, ends, calls: calls as Replayed['calls'] };
}
