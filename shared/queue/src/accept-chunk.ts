import type { Redis } from 'ioredis';
import { z } from 'zod';
import { loadScript } from '@diq/quota/script.ts';
import { storeKeys } from './store-keys.ts';

/** A request about to be recorded, with the id its dispatch gets if it needs a new one. */
export interface NewRequest {
  id: string;
  newDispatchId: string;
  machineId: string;
  /** JSON of what the caller asked; it never changes. */
  doc: string;
  rank: number;
  notAfterMs: number | undefined;
}

/** Where a request was placed. `joined` is the first request of the dispatch, if there was one already. */
export interface Placement {
  dispatchId: string;
  joined: string | undefined;
  rank: number;
}

const script = loadScript(new URL('./lua/accept.lua', import.meta.url));
const reply = z.array(z.string());

/** Records some hundred requests with their dispatches in one script; see `lua/accept.lua`. */
export async function acceptChunk(
  redis: Redis,
  keySpace: string,
  { requests, batchId, nowMs }: { requests: readonly NewRequest[]; batchId: string; nowMs: number },
): Promise<Placement[]> {
  const keys = storeKeys(keySpace);
  const perRequest = requests.flatMap(({ id, machineId, doc, newDispatchId, rank, notAfterMs }) => [
    id,
    machineId,
    doc,
    newDispatchId,
    rank,
    notAfterMs ?? '',
  ]);
  const placed = reply.parse(
    await script(redis, [keys.counts, keys.waiting], [keySpace, batchId, nowMs, ...perRequest]),
  );
  return requests.map(({ rank }, i) => {
    const [dispatchId = '', joined = ''] = placed.slice(3 * i, 3 * i + 2);
    return {
      dispatchId,
      joined: joined === '' ? undefined : joined,
      rank: Number(placed[3 * i + 2] ?? rank),
    };
  });
}
