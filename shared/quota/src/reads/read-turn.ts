import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';

const release = loadScript(new URL('./lua/release-turn.lua', import.meta.url), { whenFull: true });
const take = loadScript(new URL('./lua/take-turn.lua', import.meta.url), { whenFull: true });

export type ReadTurn = ReturnType<typeof createReadTurn>;

/**
 * The turn of one worker to read for a tenant: others leave it alone meanwhile. It is held for as long as that worker lives and does
 * not give it back, and ends by itself soon after it died or stands still.
 */
export function createReadTurn({
  redis,
  tenantId,
  forMs,
}: {
  redis: RedisConnection;
  tenantId: string;
  /** After the last sign of life of the worker. */
  forMs: number;
}) {
  const key = `diq:{${tenantId.toLowerCase()}/reads}:turn`;
  return {
    /** `undefined` while it is another one's. @throws Error while Redis cannot be asked */
    async take(): Promise<{ release(): Promise<void> } | undefined> {
      const id = randomUUID();
      const hold = () => take(redis, [key], [id, forMs]);
      if ((await hold()) !== 1) return undefined;
      const holding = setInterval(() => void hold().catch(() => undefined), forMs / 3);
      holding.unref();
      return {
        async release() {
          clearInterval(holding);
          // A turn that is not given back ends in time.
          await release(redis, [key], [id]).catch(() => undefined);
        },
      };
    },
  };
}
