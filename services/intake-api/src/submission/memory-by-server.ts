import { serverInfo, serverOf } from '@diq/redis/ask-owner.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { nameOf, type Queue } from '@diq/tenants/tenant.ts';
import type { BackPressureSettings } from '../config/config.ts';
import { createMemoryGuard, type MemoryGuard } from './memory-guard.ts';

type HeldQueue = Pick<Queue, 'tenant' | 'operation' | 'keySpace'>;

/** A server that takes no new work for want of memory. */
export interface FullServer {
  /** The end of a sentence that begins with Redis. */
  readonly why: string;
  /** Names of the queues that it holds; none where there is one server. */
  readonly queues: readonly string[];
}

export type MemoryByServer = ReturnType<typeof createMemoryByServer>;

/**
 * The memory of each server that holds queues: of the one Redis, or of the primaries of a Redis Cluster. New work of a queue is
 * judged by the server that holds it at that moment, so that a full one stops its own queues and no others.
 */
export function createMemoryByServer(
  redis: RedisConnection,
  queues: () => readonly HeldQueue[],
  settings: Pick<BackPressureSettings, 'maxBacklog' | 'maxMemoryShare' | 'maxMemoryShareOfCaller'>,
  logger: Pick<Logger, 'warn' | 'child'>,
) {
  const servers = new Map<string, { guard: MemoryGuard; held: HeldQueue[] }>();

  function guardFor(server: string, first: HeldQueue): { guard: MemoryGuard; held: HeldQueue[] } {
    const held = [first];
    const info = (section: 'memory') => serverInfo(redis, held[0]?.keySpace ?? '', section);
    const log = server === '' ? logger : logger.child({ server });
    return { guard: createMemoryGuard({ info }, settings, log), held };
  }

  function seeWhoHoldsWhat(): void {
    for (const { held } of servers.values()) held.length = 0;
    for (const queue of queues()) {
      const server = serverOf(redis, queue.keySpace);
      const known = servers.get(server);
      if (known) known.held.push(queue);
      else servers.set(server, guardFor(server, queue));
    }
    for (const [server, { held }] of servers) if (held.length === 0) servers.delete(server);
  }

  const guards = () => [...servers.values()].map(({ guard }) => guard);
  const guardOf = (keySpace: string) => servers.get(serverOf(redis, keySpace))?.guard;

  return {
    /** Reads how full each server is. Never rejects; of one that does not tell, nothing is refused. */
    async refresh(): Promise<void> {
      seeWhoHoldsWhat();
      await Promise.all(guards().map((guard) => guard.refresh()));
    },
    /** What holds for the queue of this key space. Of a server that was not read yet, nothing is refused. */
    of: (keySpace: string): Pick<MemoryGuard, 'admit' | 'mostOfCaller'> => ({
      admit: (bytes) => guardOf(keySpace)?.admit(bytes),
      mostOfCaller: () => guardOf(keySpace)?.mostOfCaller(),
    }),
    /** Of `maxmemory` of the fullest server, 0 to about 1; 0 where none tells. */
    usedShare: (): number => Math.max(0, ...guards().map((guard) => guard.usedShare())),
    /** Those that refuse new work whatever its size. */
    full: (): FullServer[] =>
      [...servers.values()].flatMap(({ guard, held }) => {
        const why = guard.describe();
        return why === undefined ? [] : [{ why, queues: servers.size === 1 ? [] : held.map(nameOf) }];
      }),
  };
}
