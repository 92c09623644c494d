import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';

const release = loadScript(new URL('./lua/release-turn.lua', import.meta.url), { whenFull: true });
const take = loadScript(new URL('./lua/take-turn.lua', import.meta.url), { whenFull: true });

export type ReadTurn = ReturnType<typeof createReadTurn>;

/** The turn of one worker to read for a tenant: others leave it alone meanwhile. It ends by itself if that worker dies. */
export function createReadTurn({
  redis,
  tenantId,
  forMs,
}: {
  redis: RedisConnection;
  tenantId: string;
  /** Longer than what is read takes. */
  forMs: number;
}) {
  const key = `diq:{${tenantId.toLowerCase()}/reads}:turn`;
  return {
    /** `undefined` while it is another one's. @throws Error while Redis cannot be asked */
    async take(): Promise<{ release(): Promise<void> } | undefined> {
      const id = randomUUID();
      if ((await take(redis, [key], [id, forMs])) !== 1) return undefined;
      // A turn that is not given back ends in time.
      return { release: async () => void (await release(redis, [key], [id]).catch(() => undefined)) };
    },
  };
}
