import { namingOf, type NamedMachine } from '@diq/contracts/machine-name.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { storedItemError } from '@diq/contracts/item-answer.ts';
import type { StoredItemError } from '@diq/contracts/item-answer.ts';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';
import { batchBytes } from '../admission/stored-bytes.ts';

/** An item of a bulk request that was refused; kept with the batch so that its items can be read back in input order. */
export interface RejectedItem {
  rejected: NamedMachine & { index: number; error: StoredItemError };
}

interface NewBatch {
  batchId: string;
  nowMs: number;
  /** In input order: a request id, or the JSON of a rejected item. */
  items: readonly string[];
  rejected: number;
  retentionMs: number;
  /** Who asked, by the name of the credential. */
  caller?: string | undefined;
  /** Digests by which it is found, see `foundBy`. */
  found?: string | undefined;
  /** The callback URL for its completion. */
  callbackUrl?: string | undefined;
}

const scriptFile = (name: string) => new URL(`../lua/${name}.lua`, import.meta.url);
const openScript = loadScript(scriptFile('open-batch'));
const refuseScript = loadScript(scriptFile('refuse-in-batch'));
const sealScript = loadScript(scriptFile('seal-batch'));

/** List elements per script. */
const pushSize = 1_000;
/** Of those that are replaced: some 5 ms of Redis' time. */
const refuseSize = 250;

/**
 * Opens a batch before its requests are recorded. Until it is sealed it cannot complete, and it goes away by itself if
 * it is never sealed: then no caller has its id. Opened again with the same items it stays as it is.
 */
export async function openBatch(redis: RedisConnection, keySpace: string, batch: NewBatch): Promise<void> {
  const keys = storeKeys(keySpace);
  const { batchId, nowMs, items, rejected, retentionMs, caller = '', found = '', callbackUrl } = batch;
  const batchKeys = [keys.batch(batchId), keys.batchItems(batchId), keys.stored];
  const about = [nowMs, items.length, rejected, retentionMs, caller, batchBytes(batch), found];
  for (let i = 0; i < items.length; i += pushSize) {
    const part = items.slice(i, i + pushSize);
    await openScript(redis, batchKeys, [...about, i, ...part]);
  }
  // In time: before it is sealed it cannot complete.
  if (callbackUrl !== undefined) await redis.hset(keys.batch(batchId), 'callback', callbackUrl);
}

/** Closes a batch once all its requests are recorded; from now on it completes with the last of them. */
export async function sealBatch(
  redis: RedisConnection,
  keySpace: string,
  { batchId, retentionMs, tail = [] }: { batchId: string; retentionMs: number; tail?: readonly string[] },
): Promise<void> {
  const keys = storeKeys(keySpace);
  const batchKeys = [keys.batch(batchId), keys.batchItems(batchId), keys.stored, keys.callbacksDue];
  await sealScript(redis, batchKeys, [batchId, retentionMs, JSON.stringify(tail), keySpace]);
}

/** Keeps with an open batch what the store refused after all. Repeated it changes nothing. */
export async function refuseInBatch(
  redis: RedisConnection,
  keySpace: string,
  batchId: string,
  refusals: readonly RejectedItem[],
): Promise<void> {
  const keys = storeKeys(keySpace);
  for (let i = 0; i < refusals.length; i += refuseSize) {
    const entries = refusals
      .slice(i, i + refuseSize)
      .flatMap((refusal) => [refusal.rejected.index, storedRefusal(refusal)]);
    await refuseScript(redis, [keys.batch(batchId), keys.batchItems(batchId), keys.stored], entries);
  }
}

/** Indexes of the items of a batch that were refused. */
export async function refusedInBatch(
  redis: RedisConnection,
  keySpace: string,
  batchId: string,
): Promise<ReadonlySet<number>> {
  const items = await redis.lrange(storeKeys(keySpace).batchItems(batchId), 0, -1);
  return new Set(items.flatMap((stored, index) => (stored.startsWith('{') ? [index] : [])));
}

/** Without what is known where it is read: its index, and the sentence that is made of the rest. */
export function storedRefusal({ rejected: { error, ...named } }: RejectedItem): string {
  return JSON.stringify({ rejected: { ...namingOf(named), error: storedItemError.parse(error) } });
}
