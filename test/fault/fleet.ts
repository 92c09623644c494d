import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import type { Random } from './random.ts';

/** Processes of one service, kept at their number: whatever ends one starts another. */
export interface Fleet {
  /** Those that were started and not stopped. */
  readonly members: readonly ServiceProcess[];
  /** One that is not frozen, as long as there is one. */
  pick(random: Random): ServiceProcess;
  /** Stands still (SIGSTOP) until it is thawed. */
  freeze(member: ServiceProcess): void;
  thaw(member: ServiceProcess): void;
  /** Ends one with a signal and starts another in its place; resolves when both is done. */
  replace(
    member: ServiceProcess,
    signal: NodeJS.Signals,
    env?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** The processes that ended by themselves, with the last of their output. */
  readonly crashes: readonly string[];
  /** For the end of a run: thaws and ends all. */
  stop(): Promise<void>;
  /** At once and without waiting, for the end of this process. */
  killAll(): void;
}

export type StartMember = (env?: Readonly<Record<string, string>>) => Promise<ServiceProcess>;

/** A start that fails is tried again, as a supervisor does: it may have fallen into an outage of Redis. */
const betweenStartsMs = 500;
const maxStarts = 60;

export async function startFleet(name: string, count: number, startMember: StartMember): Promise<Fleet> {
  const members: ServiceProcess[] = [];
  const stopped = new WeakSet<ServiceProcess>();
  const frozen = new WeakSet<ServiceProcess>();
  const crashes: string[] = [];
  const restarts = new Set<Promise<void>>();
  let isOver = false;

  async function add(env?: Readonly<Record<string, string>>): Promise<void> {
    const member = await startPersistently(startMember, env, () => isOver);
    if (!member) return;
    members.push(member);
    void restartAfter(member);
  }
  async function restartAfter(member: ServiceProcess): Promise<void> {
    const { code, signal } = await member.exited;
    if (stopped.has(member)) return;
    crashes.push(`${name} ended by itself (${code ?? signal}):\n${member.output().slice(-3_000)}`);
    remove(member);
    if (isOver) return;
    const restart = add().finally(() => restarts.delete(restart));
    restarts.add(restart);
  }
  function remove(member: ServiceProcess): void {
    const index = members.indexOf(member);
    if (index >= 0) members.splice(index, 1);
  }
  async function end(member: ServiceProcess, signal: NodeJS.Signals): Promise<void> {
    stopped.add(member);
    remove(member);
    if (member.child.exitCode !== null || member.child.signalCode !== null) return;
    // A frozen process would never see a signal that asks.
    member.kill('SIGCONT');
    await member.stop(signal);
  }

  await Promise.all(Array.from({ length: count }, () => add()));
  return {
    members,
    crashes,
    pick(random) {
      const awake = members.filter((member) => !frozen.has(member));
      return random.pick(awake.length > 0 ? awake : members);
    },
    freeze(member) {
      frozen.add(member);
      member.kill('SIGSTOP');
    },
    thaw(member) {
      frozen.delete(member);
      member.kill('SIGCONT');
    },
    async replace(member, signal, env) {
      const ended = end(member, signal);
      await Promise.all([ended, add(env)]);
    },
    async stop() {
      isOver = true;
      await Promise.all(restarts);
      await Promise.all(members.slice().map((member) => end(member, 'SIGTERM')));
    },
    killAll() {
      for (const member of members) member.kill('SIGKILL');
    },
  };
}

async function startPersistently(
  start: StartMember,
  env: Readonly<Record<string, string>> | undefined,
  isOver: () => boolean,
): Promise<ServiceProcess | undefined> {
  for (let attempt = 1; !isOver(); attempt += 1) {
    try {
      return await start(env);
    } catch (error) {
      if (attempt === maxStarts) throw error;
      await delay(betweenStartsMs);
    }
  }
  return undefined;
}
