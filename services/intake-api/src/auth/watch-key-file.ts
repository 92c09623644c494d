import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { apiKeys, type ApiKey } from '../config/callers.ts';

const schema = apiKeys();
/** Enough to find the mistake; a binary file has many. */
const maxFaults = 20;
/** Far more than thousands of keys take; what is longer is another file. */
const maxFileBytes = 1_024 * 1_024;

/**
 * Reads the file of API keys again and again, so that keys come and go without a restart. Compares contents: no watch of the system sees every way in which a file is replaced, above all
 * Kubernetes', which swaps a link two folders up. What cannot be read or holds a fault changes nothing and is logged once
 * for each content: faults name the entry, never what it holds.
 *
 * @returns what ends it; resolves when a look under way is over
 */
export function watchKeyFile(options: {
  path: string;
  /** As they were read at the start. */
  keys: readonly ApiKey[];
  /** Called with keys that differ from the last ones. */
  onChange: (keys: readonly ApiKey[]) => void;
  logger: Pick<Logger, 'info' | 'error'>;
  intervalMs: number;
}): () => Promise<void> {
  const { path, onChange, logger, intervalMs } = options;
  let present = identityOf(options.keys);
  let seen: string | undefined;
  let isClosed = false;

  async function look(): Promise<void> {
    const { state, text } = await readContent(path);
    if (state === seen || isClosed) return;
    seen = state;
    const parsed = text === undefined ? undefined : schema.safeParse(text);
    if (!parsed?.success) {
      const faults = parsed?.error.issues.slice(0, maxFaults).map((issue) => issue.message) ?? [state];
      logger.error({ faults }, 'INTAKE_API_KEYS_FILE is not usable, the previous keys stay valid');
      return;
    }
    const identity = identityOf(parsed.data);
    if (identity === present) return;
    present = identity;
    onChange(parsed.data);
    logger.info({ keys: parsed.data.length }, 'API keys changed');
  }

  const fail = (error: unknown) => logger.error({ err: error }, 'INTAKE_API_KEYS_FILE could not be read');
  const stop = repeat(intervalMs, look, fail);
  return () => {
    isClosed = true;
    return stop();
  };
}

/** `state` differs whenever there is something new to tell; without a text it says why there is none. */
async function readContent(path: string): Promise<{ state: string; text?: string }> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > maxFileBytes) return { state: 'the file is too large' };
    return { state: createHash('sha256').update(bytes).digest('hex'), text: bytes.toString() };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { state: `the file cannot be read, ${code}` };
  }
}

/** The same for the same keys in whatever order. */
function identityOf(keys: readonly ApiKey[]): string {
  const entries = keys.map(({ name, scopes, sha256 }) =>
    JSON.stringify([name, [...scopes].toSorted(), sha256.toString('hex')]),
  );
  return entries.toSorted().join('\n');
}
