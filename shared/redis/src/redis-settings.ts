import { z } from 'zod';
import { listEntries } from '@diq/runtime/settings/setting-kinds.ts';
import { wholeNumber, type Env } from '@diq/runtime/settings/read-settings.ts';
import { parseHostAndPort, parseRedisUrl, type HostAndPort, type RedisAddress } from './redis-address.ts';

/** Settings of `redisShape` whose value may come from a file, and appears in no message. */
export const redisSecrets = ['REDIS_URL', 'REDIS_SENTINEL_PASSWORD'] as const;

/**
 * The settings that say where Redis is: one node, or instead of its host the sentinels that know it, or nodes of a Redis
 * Cluster. User, password and TLS of REDIS_URL hold for all three. What is mandatory depends on what is set.
 */
export function redisShape(env: Env) {
  const hasSentinels = isSet(env, 'REDIS_SENTINELS');
  const name = z.string().describe('the name of the primary among the sentinels');
  const onlyWithSentinels = (words: z.ZodString) =>
    words.refine(() => hasSentinels, 'set without REDIS_SENTINELS (expected both or neither)').optional();
  return {
    REDIS_URL: redisUrl()
      .refine(
        (url) => !isSet(env, 'REDIS_CLUSTER_NODES') || parseRedisUrl(url).db === 0,
        'names a database, and a Redis Cluster has only database 0 (expected none)',
      )
      .describe('redis://host:6379 or rediss://host:6379'),
    REDIS_SENTINELS: servers().optional(),
    REDIS_SENTINEL_NAME: hasSentinels ? name : onlyWithSentinels(name),
    REDIS_SENTINEL_PASSWORD: onlyWithSentinels(z.string()),
    REDIS_CLUSTER_NODES: servers()
      .refine(() => !hasSentinels, 'set together with REDIS_SENTINELS (expected one of them)')
      .optional(),
    REDIS_WAIT_REPLICAS: wholeNumber({ max: 5 }).prefault('0'),
  };
}

type Read = z.output<z.ZodObject<ReturnType<typeof redisShape>>>;

/** Where Redis is, by these settings. */
export function redisAddressOf(read: Read): RedisAddress {
  const { REDIS_SENTINELS: sentinels, REDIS_SENTINEL_NAME: name, REDIS_CLUSTER_NODES: nodes } = read;
  const node = parseRedisUrl(read.REDIS_URL);
  const { kind: _, host: _host, port: _port, db, ...access } = node;
  if (nodes !== undefined) return { kind: 'cluster', nodes, ...access };
  if (sentinels === undefined || name === undefined) return node;
  const { REDIS_SENTINEL_PASSWORD: sentinelPassword } = read;
  return {
    kind: 'sentinels',
    sentinels,
    name,
    db,
    ...access,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
  };
}

/** A Redis URL as it was written. */
function redisUrl() {
  return z.string().transform((text, context) => {
    try {
      parseRedisUrl(text);
      return text.trim();
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'not usable' });
      return z.NEVER;
    }
  });
}

function servers() {
  return z.string().transform((text, context): HostAndPort[] => {
    try {
      const [first, ...others] = listEntries(text);
      return [first ?? '', ...others].map(parseHostAndPort);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'not usable' });
      return z.NEVER;
    }
  });
}

const isSet = (env: Env, name: string) => (env[name] ?? '').trim() !== '';
