import { createHash } from 'node:crypto';
import { repeat } from '../async/run-periodically.ts';
import type { Logger } from '../logging/logger.ts';
import { NoRegularFileError, readRegularFile } from './read-regular-file.ts';

/** What a file holds, or what is wrong with it: faults repeat nothing of it. */
export type ReadContent<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly faults: readonly unknown[];
      /** It was not read to its end, for lack of time or memory: the same content may be read well the next time. */
      readonly gaveUp?: boolean;
    };

export interface WatchFileOptions<T> {
  /** Of the setting that names the file. */
  readonly setting: string;
  readonly path: string;
  /** @param signal aborted when the watch ends: what it brings then is of no use */
  readonly parse: (text: string, signal: AbortSignal) => ReadContent<T> | Promise<ReadContent<T>>;
  /** What is longer is another file. */
  readonly maxBytes: number;
  /** Called with each content that is usable and differs from the one before. */
  readonly onChange: (value: T) => void;
  readonly logger: Pick<Logger, 'error'>;
  readonly intervalMs: number;
}

/** Enough to find the mistake; a binary file has many. */
const maxFaults = 20;
/** 17 minutes, with looks of 2 s: a content at which the parser fails each time takes half a minute of work. */
const mostLooksBetween = 512;

/**
 * Reads a file of settings again and again, so that what stands in it changes without a restart. Compares contents: no watch
 * of the system sees every way in which a file is replaced, above all Kubernetes', which swaps a link two folders up. What
 * cannot be read or holds a fault changes nothing and is logged once for each content. Where not the content is at fault, but the
 * parser failed or gave up, the same content is parsed again, ever more rarely.
 *
 * @returns what ends it; resolves when a look under way is over
 */
export function watchFile<T>(options: WatchFileOptions<T>): () => Promise<void> {
  const { setting, path, parse, maxBytes, onChange, logger, intervalMs } = options;
  let seen: string | undefined;
  let failed = { state: '', times: 0, looksToPass: 0 };
  const closing = new AbortController();

  async function look(): Promise<void> {
    const { state, text } = await readContent(path, maxBytes);
    if (state === seen || closing.signal.aborted) return;
    if (state !== failed.state) failed = { state, times: 0, looksToPass: 0 };
    if (failed.looksToPass-- > 0) return;
    // Until it is known to be read.
    failed.looksToPass = Math.min(mostLooksBetween, 2 ** failed.times) - 1;
    failed.times += 1;
    const parsed: ReadContent<T> =
      text === undefined ? { ok: false, faults: [state] } : await parse(text, closing.signal);
    if (closing.signal.aborted) return;
    if (parsed.ok) onChange(parsed.value);
    else {
      const faults = parsed.faults.slice(0, maxFaults);
      logger.error({ faults }, `${setting} is not usable, what it held before stays valid`);
    }
    if (parsed.ok || !parsed.gaveUp) seen = state;
  }

  const fail = (error: unknown) => {
    if (!closing.signal.aborted) logger.error({ err: error }, `${setting} could not be read`);
  };
  const stop = repeat(intervalMs, look, fail);
  return () => {
    closing.abort();
    return stop();
  };
}

/** `state` differs whenever there is something new to report; without a text it says why there is none. */
async function readContent(path: string, maxBytes: number): Promise<{ state: string; text?: string }> {
  try {
    const bytes = await readRegularFile(path, maxBytes);
    return { state: createHash('sha256').update(bytes).digest('hex'), text: bytes.toString() };
  } catch (error) {
    if (error instanceof NoRegularFileError) return { state: error.message };
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { state: `the file cannot be read, ${code}` };
  }
}
