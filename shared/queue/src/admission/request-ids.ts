import { createHash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';

/** The ids of what one POST records. Those of an item depend on its index alone, whatever becomes of the others. */
export interface RequestIds {
  readonly batch: string;
  request(index: number): string;
  /** For the task that the item gets if it joins none: 19 characters, which sort like their UUIDs. */
  task(index: number): string;
}

/** New ids; made when they are first asked for, in that order, and then the same. */
export function freshIds(): RequestIds {
  let batch: string | undefined;
  const requests: string[] = [];
  const request = (index: number) => (requests[index] ??= uuidv7());
  return {
    get batch() {
      return (batch ??= uuidv7());
    },
    request,
    // One of its own is as good as that of the request which opens it, and takes as long to make.
    task: (index) => shortened(request(index)),
  };
}

/**
 * The same ids for the same seed and time, so that an attempt that broke off is completed and not doubled by the next
 * one. UUIDs of version 7 (RFC 9562): they sort by time, then by the order of the items.
 */
export function derivedIds(seed: string, atMs: number): RequestIds {
  const time = Math.trunc(atMs).toString(16).padStart(12, '0').slice(-12);
  const random = createHash('sha256').update(seed).digest('hex');
  const variant = (8 + (Number.parseInt(random.slice(0, 1), 16) % 4)).toString(16);
  const idAt = (number: number) => {
    const counter = number.toString(16).padStart(5, '0');
    return [
      time.slice(0, 8),
      time.slice(8),
      `7${counter.slice(0, 3)}`,
      `${variant}${counter.slice(3)}${random.slice(1, 2)}`,
      random.slice(2, 14),
    ].join('-');
  };
  return {
    batch: idAt(0),
    request: (index) => idAt(1 + 2 * index),
    task: (index) => shortened(idAt(2 + 2 * index)),
  };
}

/** 64 characters in the order of their codes. */
const alphabet = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';

/**
 * A UUID of version 7 without what all of them have in common. The id of a task stands in Redis six times over, and
 * a job with a longer one no longer fits the compact form that Redis keeps hashes of short fields in. What is left out
 * beside the version are the last four of its random bits; the time lasts until 2109.
 */
function shortened(uuid: string): string {
  const hex = uuid.replaceAll('-', '');
  return coded(hex.slice(0, 12), 7) + coded(hex.slice(13, 22), 6) + coded(hex.slice(22, 31), 6);
}

function coded(hex: string, length: number): string {
  let text = '';
  for (let rest = Number.parseInt(hex, 16); text.length < length; rest = Math.floor(rest / 64)) {
    text = alphabet.charAt(rest % 64) + text;
  }
  return text;
}
