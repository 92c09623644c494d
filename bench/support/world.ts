import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { spawnService } from '@diq/runtime/processes/spawn-service.ts';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { startBareBullMq } from '../baselines/start-baselines.ts';
import type { BareBullMq } from '../baselines/start-baselines.ts';
import type { LoadPlan } from './load.ts';

const tenantId = randomUUID();
const apiKey = randomBytes(24).toString('base64url');

/** A Redis that writes each command to disk before it answers, with an intake and the bare program in front of it. */
export interface World {
  readonly redis: RedisServer;
  readonly client: Redis;
  readonly intake: ServiceProcess;
  readonly bare: BareBullMq;
  /** For a load against the intake. */
  readonly target: Pick<LoadPlan, 'origin' | 'headers'>;
  /** Empties Redis. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export async function startWorld(nodeArgs: readonly string[] = []): Promise<World> {
  const redis = await startBenchRedis();
  const client = new Redis(redis.url);
  const [intake, bare] = await Promise.all([startIntake(redis.url, nodeArgs), startBareBullMq(redis.url)]);
  return {
    redis,
    client,
    intake,
    bare,
    target: targetOf(intake),
    flush: async () => void (await client.flushall()),
    async stop() {
      await Promise.all([intake.stop(), bare.stop()]);
      client.disconnect();
      await redis.stop();
    },
  };
}

/** `appendfsync always`; the file is not rewritten while something is measured. */
export function startBenchRedis(): Promise<RedisServer> {
  return startRedisServer({ appendOnly: true, args: ['--auto-aof-rewrite-percentage', '0'] });
}

export function targetOf(intake: ServiceProcess): World['target'] {
  return { origin: `http://127.0.0.1:${intake.ready.port}`, headers: { authorization: `Bearer ${apiKey}` } };
}

/** As it is run in production, but for the limit per caller and the lines in its log, which the baselines lack as well. */
export function startIntake(
  redisUrl: string,
  nodeArgs: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  return spawnService({
    entry: new URL('../../services/intake-api/src/main.ts', import.meta.url),
    name: 'intake-api',
    nodeArgs,
    env: {
      INTAKE_PORT: '0',
      INTAKE_HOST: '127.0.0.1',
      REDIS_URL: redisUrl,
      AZURE_TENANT_ID: tenantId,
      INTAKE_API_KEYS: `bench:submit+respond+read:${createHash('sha256').update(apiKey).digest('hex')}:*`,
      INTAKE_MAX_REQUESTS_PER_MINUTE: '0',
      INTAKE_MAX_BACKLOG: '10000000',
      LOG_LEVEL: 'warn',
      ...env,
    },
  });
}
