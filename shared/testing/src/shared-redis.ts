import { startEmbeddedRedis, type EmbeddedRedis } from './embedded-redis.ts';
import { Redis } from 'ioredis';

/** The run's embedded Valkey, as seen by one suite. Readable from the suite's `before` hooks on. */
export interface SuiteRedis {
  readonly url: string;
  /** An ordinary connection for looking and arranging. */
  readonly client: Redis;
  /** Empties it, as happens before the suite starts. */
  flush(): Promise<void>;
}

let shared: Promise<EmbeddedRedis> | undefined;

/**
 * Call inside a `describe`: its tests find an empty Valkey. All suites of a run share one process, started by the
 * first that needs it and ended with the run, so that a suite costs a FLUSHALL instead of a start.
 */
export function useEmbeddedRedis(): SuiteRedis {
  let url: string | undefined;
  let client: Redis | undefined;

  before('open embedded Valkey', async function () {
    shared ??= startUntilEndOfRun(this);
    ({ url } = await shared);
    client = new Redis(url);
    await client.flushall();
  });
  after('close connection to embedded Valkey', async () => {
    // Not started when `before` failed.
    await client?.quit();
  });

  return {
    get url() {
      return opened(url);
    },
    get client() {
      return opened(client);
    },
    flush: async () => void (await opened(client).flushall()),
  };
}

async function startUntilEndOfRun(context: Mocha.Context): Promise<EmbeddedRedis> {
  let root = context.test?.parent;
  while (root?.parent) root = root.parent;
  if (!root) throw new Error('to be called inside a describe');
  const redis = await startEmbeddedRedis();
  // Added while running, to the outermost suite: runs once, after the last test of all files.
  root.afterAll('stop embedded Valkey', async () => {
    shared = undefined;
    await redis.stop();
  });
  return redis;
}

function opened<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('embedded Valkey is there from the before hooks on');
  return value;
}
