import { createHash } from 'node:crypto';

/** The same as in `lua/lib/indexes.lua`. */
export const digestSize = 16;

/**
 * What a pair of a correlation is found by: 16 hexadecimal characters. Two pairs can have the same one, so who finds a request by it looks at
 * the request itself.
 */
export function pairDigest(key: string, value: string): string {
  return createHash('sha1').update(`${key}\0${value}`).digest('hex').slice(0, digestSize);
}

/** Those of all its pairs, one behind the other in their order; '' without any. */
export function digestsOf(correlation: Readonly<Record<string, string>> = {}): string {
  return Object.entries(correlation)
    .map(([key, value]) => pairDigest(key, value))
    .toSorted()
    .join('');
}
