/**
 * The fields of a request's hash that hold, one after the other, the JSON of what was asked: in parts that Redis stores
 * compactly, see `lua/lib/indexes.lua`.
 */
export const docFields = ['doc', 'doc1', 'doc2', 'doc3', 'doc4', 'doc5', 'doc6', 'doc7'] as const;

/** Puts the parts together; `null` where there is none. */
export function joinDoc(parts: readonly (string | null | undefined)[]): string | null {
  const end = parts.findIndex((part) => part === null || part === undefined);
  return end === 0 ? null : parts.slice(0, end < 0 ? undefined : end).join('');
}

/** What was asked, from a request's whole hash. */
export function docOf(hash: Readonly<Record<string, string>>): string | null {
  return joinDoc(docFields.map((field) => hash[field]));
}
