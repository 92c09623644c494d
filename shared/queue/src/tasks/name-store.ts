import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { byName } from '@diq/contracts/machine-name.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { defaultMaxJoined } from '../admission/sharing.ts';
import { movingKeys } from '../store-keys.ts';

/** How a task's machine was asked for. */
export interface MachineNaming {
  field: 'machineName' | 'aadDeviceId';
  /** In lower case. */
  name: string;
}

export interface UnresolvedTask extends MachineNaming {
  id: string;
}

/**
 * `resolved`: it has its machine, and gets its job. `joined`: its requests are those of another task now, whose job is to have
 * this job priority, 0 where it keeps its place. `left`: it was ended meanwhile, or is another look's. `full`: the other task has no
 * room, so it waits until that one is over.
 */
export type Resolution =
  { kind: 'resolved' | 'joined'; taskId: string; jobPriority: number } | { kind: 'left' | 'full' };

/** Its reads take less. */
const leaseMs = 15_000;
/** One read answers for so many. */
const mostTaken = 20;
/** Those that were just looked for stand in between. */
const mostSearched = 200;

const script = (name: string) => loadScript(new URL(`../lua/${name}.lua`, import.meta.url));
const takeScript = script('take-unresolved');
const resolveScript = script('resolve-task');
const takeReply = z.array(z.string());
const resolveReply = z.tuple([z.enum(['resolved', 'joined', 'left', 'full']), z.string(), z.number()]);

export type NameStore = ReturnType<typeof createNameStore>;

/** Tasks whose machine was asked for by name, until Defender has said which one that is. */
export function createNameStore(
  redis: RedisConnection,
  keySpace: string,
  { retentionMs, maxJoined = defaultMaxJoined }: { retentionMs: number; maxJoined?: number },
) {
  const keys = movingKeys(keySpace);
  return {
    /** Some that are to be looked up next; `lookId` resolves or ends them, for a while. */
    async take(): Promise<{ lookId: string; tasks: UnresolvedTask[] }> {
      const lookId = randomUUID();
      const args = [keySpace, retentionMs, lookId, leaseMs, mostSearched, mostTaken];
      const parts = takeReply.parse(await takeScript(redis, keys, args));
      const tasks = Array.from({ length: parts.length / 2 }, (_, i) => {
        const [id = '', machine = ''] = parts.slice(2 * i, 2 * i + 2);
        return { id, ...namingIn(machine) };
      });
      return { lookId, tasks };
    },
    /** @param machineId in lower case */
    async resolve(taskId: string, lookId: string, machineId: string): Promise<Resolution> {
      const args = [keySpace, retentionMs, taskId, lookId, machineId, maxJoined];
      const [kind, id, jobPriority] = resolveReply.parse(await resolveScript(redis, keys, args));
      if (kind === 'left' || kind === 'full') return { kind };
      return { kind, taskId: id, jobPriority };
    },
  };
}

function namingIn(machine: string): MachineNaming {
  const field = machine.startsWith(byName.machineName) ? 'machineName' : 'aadDeviceId';
  return { field, name: machine.slice(byName[field].length) };
}
