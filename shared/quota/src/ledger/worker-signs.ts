import { loadScript } from '@diq/redis/script.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { cachedReading } from '@diq/runtime/async/memoize.ts';

/** They belong to no queue; see lua/sign-worker.lua. */
const keys = ['diq:{workers}:signs', 'diq:{workers}:queues'] as const;

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const signScript = loadScript(scriptFile('sign-worker'), { whenFull: true });
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

/** How old the signs may be that one reading shows: they are those of all queues. */
const signsAgeMs = 500;
/** The same of the queues that each process serves, which are many and change seldom. */
const queuesAgeMs = 5_000;

const readings = new WeakMap<RedisConnection, ReturnType<typeof createSignReading>>();

function createSignReading(redis: RedisConnection) {
  const [signsKey, queuesKey] = keys;
  const signs = cachedReading(async () => new Map(Object.entries(await redis.hgetall(signsKey))), signsAgeMs);
  const queues = cachedReading(async () => {
    const found = Object.entries(await redis.hgetall(queuesKey));
    return new Map(found.map(([processId, spaces]) => [processId, new Set(spaces.split('\n'))]));
  }, queuesAgeMs);
  return { signs, queues };
}

/**
 * Signs of life of the processes that serve a queue, some hundred ms old at most; a queue that a process serves anew shows some
 * seconds later. None where they cannot be read: its ledger has signs too.
 */
export async function readWorkerSigns(redis: RedisConnection, keySpace: string): Promise<string[]> {
  const reading = readings.get(redis) ?? createSignReading(redis);
  readings.set(redis, reading);
  return Promise.all([reading.signs(), reading.queues()]).then(
    ([signs, queues]) =>
      [...signs].flatMap(([processId, sign]) => (queues.get(processId)?.has(keySpace) ? [sign] : [])),
    () => [],
  );
}
