import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { loadScript } from '@diq/redis/script.ts';

import { repliesOf } from '../scheduling/job-queue.ts';

/** What is to be done on a machine, in which operations that may not overtake each other take turns. */
export interface OrderedAct {
  readonly machineId: string;
  readonly operation: string;
  /** Requests with the same one ask for the same: see `admission/sharing.ts`. */
  readonly key: string;
}

/** An act with the place that it was given at its acceptance: digits. */
export interface PlacedAct extends OrderedAct {
  readonly place: string;
}

export type MachineOrder = ReturnType<typeof createMachineOrder>;

const enterScript = loadScript(new URL('../lua/enter-order.lua', import.meta.url));
const findScript = loadScript(new URL('../lua/find-in-order.lua', import.meta.url));
const leaveScript = loadScript(new URL('../lua/leave-order.lua', import.meta.url), { whenFull: true });
const texts = z.array(z.string());
/** Acts per script: a millisecond of Redis' time. */
const perScript = 250;

/** A place is given before its request is recorded: it may still be on its way for so long. */
export const settleMs = 60_000;

/** The key space of a tenant's machines: not a queue's, since several queues take turns there. */
export const orderKeySpace = (tenantId: string): string => `diq:{${tenantId.toLowerCase()}/order}`;

/**
 * The order in which operations act on each machine of a tenant. An operation that names an order (`order` of its profile) shares it
 * with all that name the same.
 *
 * @param order the name in the profiles
 */
export function createMachineOrder(redis: RedisConnection, tenantId: string, order: string) {
  const keySpace = orderKeySpace(tenantId);
  const space = `${keySpace}:${order}`;
  const keys = [`${space}:last`];

  async function run(
    script: typeof enterScript,
    before: readonly string[],
    acts: readonly (readonly string[])[],
  ): Promise<string[]> {
    const replies: string[] = [];
    for (let i = 0; i < acts.length; i += perScript) {
      const args = [space, ...before, ...acts.slice(i, i + perScript).flat()];
      replies.push(...texts.parse(await script(redis, keys, args)));
    }
    return replies;
  }

  return {
    keySpace,
    /** Their places, in the order given. One that asks for the same as the last on its machine gets that one's. */
    enter: (acts: readonly OrderedAct[]): Promise<string[]> => run(enterScript, ['enter'], asked(acts)),
    /** The places that they would get; '' for a new one. Writes nothing. */
    look: (acts: readonly OrderedAct[]): Promise<string[]> => run(enterScript, ['look'], asked(acts)),
    /** For each of them the act that stands first on its machine: the act itself when it is its turn. */
    async firstOf(acts: readonly PlacedAct[]): Promise<PlacedAct[]> {
      const first = await run(
        findScript,
        [],
        acts.map(({ machineId, operation, key, place }) => [machineId, operation, key, place]),
      );
      return first.map((text, i) => placedAct(acts[i]?.machineId ?? '', text));
    },
    /** What stands first on each of these machines, without a look at who asks; `undefined` for nothing. Writes nothing. */
    async firstOn(machineIds: readonly string[]): Promise<(PlacedAct | undefined)[]> {
      if (machineIds.length === 0) return [];
      const pipeline = plainPipeline(redis);
      for (const machineId of machineIds) pipeline.zrange(`${space}:order:${machineId}`, 0, '0');
      const found = z.array(texts).parse(await repliesOf(pipeline));
      return found.map(([text], i) =>
        text === undefined ? undefined : placedAct(machineIds[i] ?? '', text),
      );
    },
    /** Of each of these acts the first ones that stand before it on its machine, at most so many. Writes nothing. */
    async aheadOf(acts: readonly PlacedAct[], most: number): Promise<PlacedAct[][]> {
      if (acts.length === 0) return [];
      const pipeline = plainPipeline(redis);
      for (const { machineId } of acts) pipeline.zrange(`${space}:order:${machineId}`, 0, String(most - 1));
      const found = z.array(texts).parse(await repliesOf(pipeline));
      return acts.map((act, i) => {
        const first = found[i] ?? [];
        const own = first.indexOf(textOf(act));
        return first.slice(0, own < 0 ? most : own).map((text) => placedAct(act.machineId, text));
      });
    },
    /** Takes out an act that has ended, where another one waits behind it. @returns whether it was */
    async leave(act: PlacedAct): Promise<boolean> {
      return (await leaveScript(redis, [`${space}:order:${act.machineId}`], [textOf(act)])) === 1;
    },
  };
}

const asked = (acts: readonly OrderedAct[]) =>
  acts.map(({ machineId, operation, key }) => [machineId, operation, key]);

const textOf = ({ place, operation, key }: PlacedAct): string => `${place} ${operation} ${key}`;

function placedAct(machineId: string, text: string): PlacedAct {
  const [place = '', operation = '', ...key] = text.split(' ');
  return { machineId, operation, key: key.join(' '), place };
}

/** When a place was given, in ms of Redis' clock. */
export const enteredAtMs = ({ place }: Pick<PlacedAct, 'place'>): number => Math.floor(Number(place) / 1_000);
