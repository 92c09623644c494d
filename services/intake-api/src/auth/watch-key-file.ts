import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { apiKeys, type ApiKey } from '../config/api-keys.ts';

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
    const content = await readContent(path);
    if (content.state !== seen && !isClosed) {
      seen = content.state;
      take(content.kind === 'text' ? parse(content.text) : { faults: [content.why] });
    }
  }

  function take(parsed: Parsed): void {
    if ('faults' in parsed) {
      logger.error(
        { faults: parsed.faults },
        'INTAKE_API_KEYS_FILE is not usable, the previous keys stay valid',
      );
      return;
    }
    const identity = identityOf(parsed.keys);
    if (identity === present) return;
    present = identity;
    onChange(parsed.keys);
    logger.info({ keys: parsed.keys.length }, 'API keys changed');
  }

  const fail = (error: unknown) => logger.error({ err: error }, 'INTAKE_API_KEYS_FILE could not be read');
  const stop = repeat(intervalMs, look, fail);
  return () => {
    isClosed = true;
    return stop();
  };
}

/** `state` differs whenever there is something new to tell. */
type Content =
  { kind: 'text'; state: string; text: string } | { kind: 'unreadable'; state: string; why: string };

async function readContent(path: string): Promise<Content> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > maxFileBytes) return unreadable('the file is too large');
    return { kind: 'text', state: createHash('sha256').update(bytes).digest('hex'), text: bytes.toString() };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return unreadable(`the file cannot be read, ${code}`);
  }
}

function unreadable(why: string): Content {
  return { kind: 'unreadable', state: why, why };
}

type Parsed = { keys: readonly ApiKey[] } | { faults: string[] };

const schema = apiKeys();
/** Enough to find the mistake; a binary file has many. */
const maxFaults = 20;

function parse(text: string): Parsed {
  const parsed = schema.safeParse(text);
  if (parsed.success) return { keys: parsed.data };
  return { faults: parsed.error.issues.slice(0, maxFaults).map((issue) => issue.message) };
}

/** The same for the same keys in whatever order. */
function identityOf(keys: readonly ApiKey[]): string {
  const entries = keys.map(({ name, scopes, sha256 }) =>
    JSON.stringify([name, [...scopes].toSorted(), sha256.toString('hex')]),
  );
  return entries.toSorted().join('\n');
}
