import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';

/** They belong to no queue; see lua/sign-worker.lua. */
const keys = ['diq:{workers}:signs', 'diq:{workers}:queues'];

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const signScript = loadScript(scriptFile('sign-worker'), { whenFull: true });
const readScript = loadScript(scriptFile('worker-signs'));
/** For how long the signs of processes that are gone show when the last one was there. */
const keptMs = 30 * 24 * 3_600_000;
const forgetEveryMs = 3_600_000;

/**
 * The sign of life of a worker process. It stands for all queues that the process serves, also for those in which there is
 * nothing to do.
 */
export function createWorkerSign(redis: RedisConnection, processId: string) {
  let spaces = '\n';
  let areKnown = false;
  let forgetAtMs = -Infinity;

  return {
    /** The key spaces that it serves from now on. */
    serve(keySpaces: readonly string[]): void {
      spaces = `\n${keySpaces.join('\n')}\n`;
      areKnown = false;
    },
    /** Rejects while Redis takes no writes. */
    async live(): Promise<void> {
      const isDue = performance.now() >= forgetAtMs;
      const sent = areKnown ? '' : spaces;
      const known = await signScript(redis, keys, [processId, 'alive', sent, isDue ? keptMs : '']);
      // Others may have been set meanwhile, and Redis may have lost them.
      areKnown = known === 1 && (sent === '' ? areKnown : sent === spaces);
      if (isDue) forgetAtMs = performance.now() + forgetEveryMs;
    },
    /** It was stopped in order, and writes no further sign. */
    async leave(): Promise<void> {
      await signScript(redis, keys, [processId, 'left', '', '']);
    },
  };
}

const signsReply = z.array(z.string());

/** Signs of life of the processes that serve a queue. None where they cannot be read: its ledger has signs too. */
export async function readWorkerSigns(redis: RedisConnection, keySpace: string): Promise<string[]> {
  return readScript(redis, keys, [keySpace]).then(
    (reply) => signsReply.parse(reply),
    () => [],
  );
}
