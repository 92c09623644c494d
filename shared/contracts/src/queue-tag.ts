import { createHash } from 'node:crypto';

/**
 * Eight hexadecimal characters that stand for a queue. The ids of its requests and batches end in them, so that an id
 * leads to its queue without a search.
 *
 * @param keySpace of the queue, see `keySpace()`
 */
export function queueTagOf(keySpace: string): string {
  return createHash('sha256').update(keySpace).digest('hex').slice(0, 8);
}

/** The tag in an id of a request or a batch. What is no such id has one that no queue has. */
export function queueTagIn(id: string): string {
  return id.slice(-8).toLowerCase();
}
