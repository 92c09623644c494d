import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { digestSize, mostFoundBy } from '../requests/correlation-digest.ts';
import type { TraceContext } from '@diq/contracts/trace-context.ts';

/** A request with a comment of a few lines: request, task, job and indexes. See docs/performance.md. */
export const usualBytes = 1_900;
const usualTextBytes = 300;
/** With more text it takes so much beside it; still more does not fit the short form. */
const bytesBesideText = 1_800;
const shortTextBytes = 400;
const bytesBesideLongText = 2_500;

/** An element of a list, beside its text. */
const bytesPerElement = 12;
const idBytes = 36;
const bytesPerBatch = 700;
/** What is kept of a refused item, so that a batch can be read back. */
const bytesPerRefusal = 400;
/** The job of a callback. A receiver that does not answer keeps it for a day. */
const bytesPerCallback = 1_500;
/** The entry of a pair of a correlation in its index. */
const bytesPerPair = 170;

/** What Redis needs for a request, roughly; it counts as much as long as it is kept, whatever becomes of it. */
export function requestBytes(
  { comment, correlation = {}, source = '', callbackUrl = '' }: InvestigationItem,
  { tracestate = '' }: Partial<TraceContext> = {},
): number {
  const ofCallback = callbackUrl === '' ? 0 : bytesPerCallback;
  const pairs = Object.entries(correlation);
  const besideText = ofCallback + pairs.length * bytesPerPair;
  // The source stands in two indexes as well.
  const sources = [source, source, source];
  const texts = [comment, ...pairs.flat(), ...sources, callbackUrl, tracestate];
  const text = texts.reduce((sum, one) => sum + jsonBytes(one), 0);
  if (text <= usualTextBytes) return usualBytes + besideText;
  return text + (text <= shortTextBytes ? bytesBesideText : bytesBesideLongText) + besideText;
}

/**
 * A text in JSON, which the record of a request is: quotes, backslashes and line ends take two bytes; what would take more
 * is refused (`text.ts`). A large batch is counted so in a third of the time that it takes to write its JSON.
 */
function jsonBytes(text: string): number {
  let bytes = Buffer.byteLength(text);
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === quote || unit === backslash || unit < space) bytes += 1;
  }
  return bytes;
}

const [quote, backslash, space] = [0x22, 0x5c, 0x20];

/** What Redis needs for the record of a batch and the list of its items. */
export function batchBytes({
  items,
  found = '',
  callbackUrl = '',
}: {
  items: readonly string[];
  found?: string | undefined;
  callbackUrl?: string | undefined;
}): number {
  const listed = items.reduce((sum, item) => sum + bytesPerElement + Buffer.byteLength(item), 0);
  return bytesBesideItems(callbackUrl) + listed + (found.length / digestSize) * bytesPerPair;
}

function bytesBesideItems(callbackUrl: string): number {
  return bytesPerBatch + (callbackUrl === '' ? 0 : bytesPerCallback + Buffer.byteLength(callbackUrl));
}

/** What a batch of these entries will count with its requests, before it is written out. */
export function postedBytes(
  entries: readonly (InvestigationItem | { rejected: unknown })[],
  callbackUrl = '',
  trace?: TraceContext,
): number {
  return entries.reduce(
    (sum, entry) =>
      sum + bytesPerElement + ('rejected' in entry ? bytesPerRefusal : idBytes + requestBytes(entry, trace)),
    bytesBesideItems(callbackUrl) + foundByOf(entries) * bytesPerPair,
  );
}

/** By how many sources and pairs a batch of these entries is found, see `foundBy`. */
function foundByOf(entries: readonly (InvestigationItem | { rejected: unknown })[]): number {
  const [sources, pairs] = [new Set<string>(), new Set<string>()];
  for (const entry of entries) {
    if ('rejected' in entry) continue;
    const { source, correlation = {} } = entry;
    if (source !== undefined && sources.size < mostFoundBy) sources.add(source);
    if (pairs.size >= mostFoundBy) continue;
    for (const [key, value] of Object.entries(correlation)) pairs.add(`${key}\0${value}`);
  }
  return Math.min(sources.size, mostFoundBy) + Math.min(pairs.size, mostFoundBy);
}
