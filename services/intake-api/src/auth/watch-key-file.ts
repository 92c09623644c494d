import { watchFile } from '@diq/runtime/settings/watch-file.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { apiKeys, type ApiKey } from '../config/callers.ts';

const schema = apiKeys();
/** Far more than thousands of keys take. */
const maxFileBytes = 1_024 * 1_024;

/**
 * Watches the file of API keys, so that keys come and go without a restart. Faults name the entry, never what it holds.
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
  return watchFile({
    setting: 'INTAKE_API_KEYS_FILE',
    path,
    maxBytes: maxFileBytes,
    parse(text) {
      const { data, error } = schema.safeParse(text);
      return data
        ? { ok: true, value: data }
        : { ok: false, faults: error.issues.map(({ message }) => message) };
    },
    onChange(keys) {
      const identity = identityOf(keys);
      if (identity === present) return;
      present = identity;
      onChange(keys);
      logger.info({ keys: keys.length }, 'API keys changed');
    },
    logger,
    intervalMs,
  });
}

/** The same for the same keys in whatever order. */
function identityOf(keys: readonly ApiKey[]): string {
  const entries = keys.map(({ name, scopes, sha256, tenants }) => {
    const reached = typeof tenants === 'object' ? [...tenants].toSorted() : tenants;
    return JSON.stringify([name, [...scopes].toSorted(), sha256.toString('hex'), reached]);
  });
  return entries.toSorted().join('\n');
}
