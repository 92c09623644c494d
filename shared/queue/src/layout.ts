import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from './store-keys.ts';

/**
 * The version of all keys and stored forms in a key space, those of the ledger included. It rises with every change that
 * this or the former version could not read; the change comes with an upgrade of the stored fixture of `layout.test.ts`.
 */
export const layoutVersion = 2;

/** The key space has another layout than this version reads. It must not be written to. */
export class LayoutError extends Error {
  constructor(keySpace: string, found: number) {
    const [what, remedy] =
      found > layoutVersion
        ? ['a newer version', 'start that version again']
        : ['an older version', 'upgrade it as CHANGELOG.md says'];
    super(
      `Redis holds data of ${what} under ${keySpace} (layout ${found}, this version has ${layoutVersion}): ` +
        `${remedy}, or give this one an empty database in REDIS_URL.`,
    );
    this.name = 'LayoutError';
  }
}

const script = loadScript(new URL('./lua/claim-layout.lua', import.meta.url), { whenFull: true });
const version = z.coerce.number().int();

/**
 * Marks the key space with this version's layout, or finds that it has it. To be called before anything else is written.
 *
 * @throws LayoutError where it has another one
 */
export async function claimLayout(redis: RedisConnection, keySpace: string): Promise<void> {
  const { layout } = storeKeys(keySpace);
  // Read first: a server that takes no writes can be read from as before.
  const found = version.parse((await redis.get(layout)) ?? (await script(redis, [layout], [layoutVersion])));
  if (found !== layoutVersion) throw new LayoutError(keySpace, found);
}
