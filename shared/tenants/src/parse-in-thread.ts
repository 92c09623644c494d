import { Worker } from 'node:worker_threads';
import { parseTenants, type ParsedTenants } from './parse-tenants.ts';

/** So much is read in less time than a thread takes to start, whatever it is. */
const smallLength = 8 * 1_024;
/** More than 5,000 tenants in YAML take, and less than what would end the process. */
const usualMegabytes = 256;
const longestMs = 30_000;

/** `gaveUp`: time or memory ended before the content did. */
type ParsedInThread = ParsedTenants & { gaveUp?: true };

const gaveUp = (message: string): ParsedInThread => ({
  ok: false,
  faults: [{ line: 1, message }],
  gaveUp: true,
});

/**
 * `parseTenants` in a thread of its own: thousands of tenants take seconds, and a megabyte of brackets takes half a minute, in which the
 * process would make no call and give no answer.
 *
 * @param options.signal gives it up
 * @throws what `signal` is aborted with
 * @throws Error where no thread can be started
 */
export async function parseInThread(
  content: string,
  {
    signal,
    timeoutMs = longestMs,
    mostMegabytes = usualMegabytes,
  }: { signal?: AbortSignal; timeoutMs?: number; mostMegabytes?: number } = {},
): Promise<ParsedInThread> {
  signal?.throwIfAborted();
  if (content.length <= smallLength) return parseTenants(content);
  const thread = new Worker(new URL('./parse-thread.ts', import.meta.url), {
    workerData: content,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: mostMegabytes },
  });
  try {
    return await answerOf(thread, timeoutMs, signal);
  } finally {
    await thread.terminate();
  }
}

function answerOf(
  thread: Worker,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<ParsedInThread> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(gaveUp('takes too long to read')), timeoutMs);
    const giveUp = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', giveUp, { once: true });
    thread.once('message', resolve);
    thread.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') resolve(gaveUp('takes too much memory to read'));
      else reject(error);
    });
    // Of all three: whichever comes first.
    thread.once('exit', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      resolve(gaveUp('cannot be read'));
    });
  });
}
