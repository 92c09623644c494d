import { hash } from 'node:crypto';

/** The same as in `lua/lib/indexes.lua`. */
export const digestSize = 16;

/**
 * What a pair of a correlation is found by: 16 hexadecimal characters. Two pairs can have the same one, so who finds a request by it looks at
 * the request itself.
 */
export function pairDigest(key: string, value: string): string {
  return hash('sha1', `${key}\0${value}`).slice(0, digestSize);
}

/** Those of all its pairs, one behind the other in their order; '' without any. */
export function digestsOf(correlation: Readonly<Record<string, string>> = {}): string {
  return Object.entries(correlation)
    .map(([key, value]) => pairDigest(key, value))
    .toSorted()
    .join('');
}

/** What a batch is found by that has requests of this source. No key of a correlation is empty. */
export function sourceDigest(source: string): string {
  return pairDigest('', source);
}

/** Sources, and pairs of correlations, that a batch is found by at most: those of its first items. */
export const mostFoundBy = 1_000;

/** The digests of the sources and pairs of these requests, one behind the other, each once. */
export function foundBy(
  requests: readonly { source?: string | undefined; digests?: string | undefined }[],
): string {
  const [sources, pairs] = [new Set<string>(), new Set<string>()];
  for (const { source, digests = '' } of requests) {
    if (source !== undefined && sources.size < mostFoundBy) sources.add(source);
    for (let i = 0; i < digests.length && pairs.size < mostFoundBy; i += digestSize)
      pairs.add(digests.slice(i, i + digestSize));
  }
  return [...[...sources].map(sourceDigest), ...pairs].join('');
}
