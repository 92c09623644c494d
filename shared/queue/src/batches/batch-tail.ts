import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import type { NewRequest, Placement } from '../admission/accept-chunk.ts';
import { storeKeys } from '../store-keys.ts';
import { repliesOf } from '../scheduling/job-queue.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';

/**
 * Of a batch's requests, those whose calls come last, kept with the batch: when the last of them starts, all have. A few
 * are kept and not one, because the last may be cancelled, expire or be promoted.
 */
export const batchTailSize = 16;

/** The tail of a batch that was accepted just now. */
export function tailOf(requests: readonly NewRequest[], placements: readonly Placement[]): string[] {
  // Of equal job priority, what was there before goes before what was added, which goes by its index.
  const keyOf = (index: number) => {
    const placement = placements[index];
    if (placement?.outcome === 'full') return -1;
    const isAdded = placement !== undefined && placement.joined === undefined;
    return (placement?.jobPriority ?? 0) * 2 + (isAdded ? 1 : 0);
  };
  return greatest(requests.map(({ id }, index) => ({ id, key: keyOf(index) })));
}

const script = loadScript(new URL('../lua/keep-tail.lua', import.meta.url), { whenFull: true });
const requestReply = z.tuple([z.string().nullable(), z.string().nullable()]);
/** Items read in one go. */
const pageSize = 1_000;

export type BatchTailReader = ReturnType<typeof createBatchTailReader>;

export function createBatchTailReader(
  redis: RedisConnection,
  keySpace: string,
  jobs: Pick<JobQueue, 'positions' | 'have'>,
) {
  const keys = storeKeys(keySpace);
  const readings = new Map<string, Promise<string[]>>();

  /** The tasks of those of these requests that are queued. */
  async function waitingOf(requestIds: readonly string[]) {
    const pipeline = plainPipeline(redis);
    for (const id of requestIds) pipeline.hmget(keys.request(id), 'status', 'task');
    const rows = z.array(requestReply).parse(await repliesOf(pipeline));
    return rows.flatMap(([status, taskId], i) => {
      const id = requestIds[i];
      return status === 'queued' && taskId !== null && id !== undefined ? [{ id, taskId }] : [];
    });
  }

  async function readTail(batchId: string): Promise<string[]> {
    let candidates: { id: string; key: number }[] = [];
    for (let offset = 0; ; offset += pageSize) {
      const entries = await redis.lrange(keys.batchItems(batchId), offset, offset + pageSize - 1);
      const waiting = await waitingOf(entries.filter((entry) => !entry.startsWith('{')));
      const positions = await jobs.positions(waiting.map(({ taskId }) => taskId));
      candidates.push(...waiting.map(({ id }, i) => ({ id, key: positions[i] ?? 0 })));
      const tail = new Set(greatest(candidates));
      candidates = candidates.filter(({ id }) => tail.has(id));
      if (entries.length < pageSize) break;
    }
    const tail = greatest(candidates);
    await script(redis, [keys.batch(batchId)], [JSON.stringify(tail)]);
    return tail;
  }

  /** However many ask at a time, a batch is read once. */
  function newTail(batchId: string): Promise<string[]> {
    const reading = readings.get(batchId) ?? readTail(batchId).finally(() => readings.delete(batchId));
    readings.set(batchId, reading);
    return reading;
  }

  return {
    /**
     * The place in the order of the batch's last task that waits; 1 for one that was claimed, `undefined` when none has
     * a place. Costs the same for every size of batch, but where all of the tail are gone and others wait: then the batch
     * is read once and gets a new tail.
     */
    async lastPosition({ id, tail }: { id: string; tail: readonly string[] }): Promise<number | undefined> {
      let waiting = await waitingOf(tail);
      if (waiting.length === 0) waiting = await waitingOf(await newTail(id));
      const taskIds = waiting.map(({ taskId }) => taskId);
      const positions = (await jobs.positions(taskIds)).filter((position) => position !== undefined);
      if (positions.length > 0) return Math.max(...positions);
      return (await jobs.have(taskIds)).some(Boolean) ? 1 : undefined;
    },
  };
}

/** The ids with the greatest keys, greatest first; of equal keys the later ones. */
function greatest(entries: readonly { id: string; key: number }[]): string[] {
  const best: { id: string; key: number }[] = [];
  for (const entry of entries) {
    const last = best.at(-1);
    if (best.length === batchTailSize && last && last.key > entry.key) continue;
    const at = best.findIndex(({ key }) => key <= entry.key);
    best.splice(at < 0 ? best.length : at, 0, entry);
    best.length = Math.min(best.length, batchTailSize);
  }
  return best.map(({ id }) => id);
}
