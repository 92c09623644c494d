import { setTimeout as delay } from 'node:timers/promises';
import type { FaultWorld } from '../fault-world.ts';
import type { Random } from '../random.ts';

export interface Happenings {
  /** How often each thing happened. */
  readonly counts: ReadonlyMap<string, number>;
  /** Ends them, and brings every machine back. */
  stop(): Promise<void>;
}

export interface HappeningsOptions {
  readonly machines: readonly string[];
  readonly random: Random;
  /** From its call to the end of an action. */
  readonly actionMs: number;
}

const everyMs = 300;
const analystTypes = ['Isolate', 'Unisolate', 'RestrictCodeExecution', 'RunAntiVirusScan'];
const otherEnds = ['Failed', 'Cancelled', 'TimeOut'];

/**
 * What goes on at Defender by itself: machines that go offline for a while, so that their actions stay pending; other people who act on
 * the same machines, so that calls are refused as already in progress; actions that fail or are cancelled.
 */
export function startHappenings(world: FaultWorld, options: HappeningsOptions): Happenings {
  const { machines, random, actionMs } = options;
  const counts = new Map<string, number>();
  const offline = new Map<string, number>();
  const looked = new Set<string>();
  let isOver = false;
  const count = (what: string) => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const setHealth = (id: string, healthStatus: string) => world.control.addMachine({ id, healthStatus });

  async function endSome(): Promise<void> {
    for (const { id, status, creationDateTimeUtc } of await world.simulatorLog.actions()) {
      if (looked.has(id)) continue;
      looked.add(id);
      const isYoung = Date.now() - Date.parse(creationDateTimeUtc) < 0.5 * actionMs;
      if (!isYoung || !['Pending', 'InProgress'].includes(status) || !random.chance(0.15)) continue;
      const end = random.pick(otherEnds);
      await world.control.endAction(id, end);
      count(`actions that ended as ${end}`);
    }
  }

  async function happen(): Promise<void> {
    const now = Date.now();
    for (const [id, untilMs] of offline) {
      if (untilMs > now) continue;
      offline.delete(id);
      await setHealth(id, 'Active');
    }
    if (random.chance(0.04)) {
      const id = random.pick(machines);
      if (!offline.has(id)) await setHealth(id, 'Inactive');
      offline.set(id, now + random.between(2_000, 10_000));
      count('machines that went offline');
    }
    if (random.chance(0.04)) {
      const type = random.pick(analystTypes);
      await world.control.addMachineAction({ machineId: random.pick(machines), type, scope: 'Full' });
      count('actions of others');
    }
    await endSome();
  }

  async function run(): Promise<void> {
    while (!isOver) {
      await happen();
      await delay(everyMs);
    }
    for (const id of offline.keys()) await setHealth(id, 'Active');
  }

  const running = run();
  running.catch(() => undefined);
  return {
    counts,
    async stop() {
      isOver = true;
      await running;
    },
  };
}
