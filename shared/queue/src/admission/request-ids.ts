import { createHash } from 'node:crypto';
import { UUID, uuidv7 } from 'uuidv7';

/**
 * The ids of what one POST records: UUIDs of version 7 (RFC 9562), which sort by time, then by the order of the items.
 * Those of an item depend on its index alone, whatever becomes of the others. All end in the tag of their queue
 * (`queueTagOf`), in place of the last random bits.
 */
export interface RequestIds {
  readonly batch: string;
  request(index: number): string;
  /** For the task that the item gets if it joins none: 15 characters, which sort like their UUIDs. */
  task(index: number): string;
}

/** New ids; made when they are first asked for, in that order, and then the same. */
export function freshIds(queueTag: string): RequestIds {
  let batch: string | undefined;
  const requests: string[] = [];
  // What stands before the tag is a counter, which begins at random in each millisecond.
  const next = () => uuidv7().slice(0, -queueTag.length) + queueTag;
  const request = (index: number) => (requests[index] ??= next());
  return {
    get batch() {
      return (batch ??= next());
    },
    request,
    task: (index) => taskIdOf(request(index)),
  };
}

/** What is left of the 42 bits of the counter beside 16,384 ids of one POST. */
const seedBits = 28;

/**
 * The same ids for the same seed and time, so that an attempt that broke off is completed and not doubled by the next
 * one.
 */
export function derivedIds(seed: string, atMs: number, queueTag: string): RequestIds {
  const digest = createHash('sha256').update(seed).digest();
  const random = digest.readUInt32BE() >>> (32 - seedBits);
  const idAt = (number: number) => {
    const [high, low] = [number >>> 2, (number % 4) * 2 ** seedBits + random];
    return UUID.fromFieldsV7(Math.trunc(atMs), high, low, Number.parseInt(queueTag, 16)).toString();
  };
  const request = (index: number) => idAt(index + 1);
  return { batch: idAt(0), request, task: (index) => taskIdOf(request(index)) };
}

/** 64 characters in the order of their codes. */
const alphabet = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';

/**
 * The id of a request without what all of its queue have in common. The id of a task stands in Redis six times over, and
 * a job with a longer one no longer fits the compact form that Redis keeps hashes of short fields in. The time lasts until
 * 2109.
 */
function taskIdOf(requestId: string): string {
  const hex = requestId.replaceAll('-', '');
  return coded(hex.slice(0, 12), 7) + coded(hex.slice(13, 24), 8);
}

function coded(hex: string, length: number): string {
  let text = '';
  for (let rest = Number.parseInt(hex, 16); text.length < length; rest = Math.floor(rest / 64)) {
    text = alphabet.charAt(rest % 64) + text;
  }
  return text;
}
