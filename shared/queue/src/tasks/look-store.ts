import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Parameters } from '@diq/contracts/operations/profile.ts';
import type { MachineWarning } from '@diq/contracts/machine-warnings.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { movingKeys, storeKeys } from '../store-keys.ts';
import type { Job } from '../scheduling/job-queue.ts';
import { jobsIn } from './offline-tasks.ts';
import { askedFor } from '../requests/stored-request.ts';

/** What a look is to find out of a task. */
export interface LookedAtTask {
  id: string;
  machineId: string;
  parameters: Parameters;
  /** Whether Defender knows the machine, and in which state it is. */
  needsMachine: boolean;
  /** Whether something runs that does all that is asked for. */
  needsCover: boolean;
}

/** Which tasks a look takes. */
export interface LookQuery {
  /** What can be read; what is not named here is not asked for. */
  wants: { machine: boolean; cover: boolean };
  /** Slots that open soon: so many of the next tasks are looked at. */
  slots: number;
  /** Of them those that are kept for critical requests. */
  reserve: number;
  /** None are taken while so many of those to be called have been looked at. */
  enough: number;
}

/** Tasks that are one look's for a while: `lookId` ends or records them. */
export interface Look {
  lookId: string;
  tasks: LookedAtTask[];
  /** The task that is next is not critical, and a look at it is under way, by whichever worker, or was not made. */
  isNextOpen: boolean;
}

/** What a look showed of a task that is to be called. */
export interface Seen {
  taskId: string;
  /** Of its machine; `undefined` where that was not seen. */
  warnings?: readonly MachineWarning[] | undefined;
  /** Nothing covers it. */
  isUncovered: boolean;
}

/** A look's tasks are another one's after this time; its reads take less. */
const leaseMs = 15_000;
/** Machines seldom come and go. A task that waits for its slot for longer is looked at again. */
const machineCountsForMs = 600_000;
/** What runs can end at any moment, and so can another program start something. */
const coverCountsForMs = 45_000;
/** Tasks that may not have one of the slots stand in between. */
const mostSearched = 100;
/** What one read can ask about. */
const mostTaken = 20;
/** A machine that is offline is looked at again sooner. */
const offlineCountsForMs = 300_000;

const lookScript = (name: string) => loadScript(new URL(`../lua/${name}.lua`, import.meta.url));
const takeScript = lookScript('take-looks');
const recordScript = lookScript('record-looks');
const takeReply = z.array(z.string());
const recordReply = z.tuple([z.array(z.string()), z.array(z.string())]);
const partsPerTask = 5;
/** Not strict: the rest is not looked at. */
const asked = z.object(askedFor.pick({ parameters: true }).shape);

export type LookStore = ReturnType<typeof createLookStore>;

/** What was found out about tasks ahead of their calls, for all workers: each task is looked at by one of them at a time. */
export function createLookStore(redis: RedisConnection, keySpace: string, retentionMs: number) {
  const keys = movingKeys(keySpace);
  const { jobOrder, offline } = storeKeys(keySpace);

  async function takeFrom(
    sortedSet: string,
    countsFor: readonly (number | '')[],
    { slots, reserve, enough }: Pick<LookQuery, 'slots' | 'reserve' | 'enough'>,
  ): Promise<Look> {
    const lookId = randomUUID();
    const bounds = [slots, reserve, mostSearched, enough, mostTaken];
    const args = [keySpace, retentionMs, lookId, leaseMs, ...countsFor, ...bounds];
    const [isNextOpen, ...parts] = takeReply.parse(await takeScript(redis, [...keys, sortedSet], args));
    const tasks = Array.from({ length: parts.length / partsPerTask }, (_, i) =>
      parts.slice(partsPerTask * i, partsPerTask * (i + 1)),
    );
    return { lookId, tasks: tasks.flatMap((one) => toTask(one) ?? []), isNextOpen: isNextOpen === '1' };
  }

  return {
    /** The next tasks that are to be looked at. */
    take: ({ wants, ...bounds }: LookQuery): Promise<Look> =>
      takeFrom(
        jobOrder,
        [wants.machine ? machineCountsForMs : '', wants.cover ? coverCountsForMs : ''],
        bounds,
      ),
    /** Of those that are put aside, since their machine is offline, some whose machine is to be looked at again. */
    takeOffline: (): Promise<Look> =>
      takeFrom(offline, [offlineCountsForMs, ''], { slots: mostSearched, reserve: 0, enough: mostSearched }),
    /**
     * Keeps what was seen, for as long as it counts, and warnings with the requests. Tasks that are another's by now stay as they
     * are. Where `putsAside`, tasks whose machine is offline are put aside.
     *
     * @returns those that are put aside by now, whose jobs are to go, and the jobs that others need which were
     */
    async record(
      lookId: string,
      seen: readonly Seen[],
      { putsAside = false }: { putsAside?: boolean } = {},
    ): Promise<{ aside: string[]; back: Job[] }> {
      if (seen.length === 0) return { aside: [], back: [] };
      const about = seen.flatMap(({ taskId, warnings, isUncovered }) => [
        taskId,
        warnings ? '1' : '',
        (warnings ?? []).join(','),
        isUncovered ? '1' : '',
      ]);
      const args = [keySpace, retentionMs, lookId, putsAside ? 1 : '', ...about];
      const [aside, back] = recordReply.parse(await recordScript(redis, keys, args));
      return { aside, back: jobsIn(back) };
    },
  };
}

/** `undefined` for one that cannot be read: the worker that claims it ends it. */
function toTask([id = '', machineId = '', needsMachine, needsCover, doc = '']: string[]):
  LookedAtTask | undefined {
  const parameters = parametersIn(doc);
  if (parameters === undefined) return undefined;
  return { id, machineId, parameters, needsMachine: needsMachine === '1', needsCover: needsCover === '1' };
}

function parametersIn(doc: string): Parameters | undefined {
  try {
    return asked.parse(JSON.parse(doc)).parameters ?? {};
  } catch {
    return undefined;
  }
}
