import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { ApiKey } from '../config/callers.ts';

/** Named in one line; of further ones the number is given. */
const mostNamed = 20;

/**
 * Warns of API keys that name no tenant while there are several: they reach none. At a start such keys are refused; later they come
 * with a change of the keys or of the tenants.
 *
 * @returns to be called after each change. The same keys are named once
 */
export function createKeyTenantCheck(
  keys: () => readonly Pick<ApiKey, 'name' | 'tenants'>[],
  countTenants: () => number,
  logger: Pick<Logger, 'warn'>,
): () => void {
  let named = '';
  return () => {
    const lost = countTenants() > 1 ? keys().filter(({ tenants }) => tenants === undefined) : [];
    const names = [...new Set(lost.map(({ name }) => name))].toSorted();
    if (names.join() === named) return;
    named = names.join();
    if (names.length === 0) return;
    logger.warn(
      { keys: names.slice(0, mostNamed), more: Math.max(0, names.length - mostNamed) },
      'API keys that name no tenant reach none, since there are several',
    );
  };
}
