import { createHmac, randomBytes } from 'node:crypto';
import { callerKeys } from '@diq/queue/store-keys.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { createKeyRing } from '../auth/api-keys.ts';
import { openInRedis, sessionSecretBytes } from '../auth/session-set.ts';
import type { ApiKey } from '../config/callers.ts';

/** As Entra ID's are. */
export const tokenLifetimeMs = 3_600_000;
/** Of one key at a time; the oldest goes then. Some connectors fetch one for each thing that they do. */
const maxTokens = 1_000;

const form = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})~defender~([0-9a-f-]{36})~([A-Za-z0-9_-]{43})$/;

/** What a token stands for: an API key, as it is now, in one tenant. */
interface Bearer {
  key: ApiKey;
  tenantId: string;
}

export type DoorTokens = ReturnType<typeof createDoorTokens>;

/**
 * Opaque tokens of an hour that the own token endpoint gives for an API key and a tenant. What Redis has of one is a digest
 * under the hash of the key: with the key goes the token, and a reader of Redis cannot make one. All intakes know all of
 * them.
 */
export function createDoorTokens(redis: RedisConnection, keys: () => readonly ApiKey[]) {
  return {
    /** The API key that this secret is and that has this name; every key is compared, in constant time. */
    keyOf(name: string, secret: string): ApiKey | undefined {
      const found = createKeyRing(keys())(secret);
      return found?.name === name ? found : undefined;
    },
    async issue({ key, tenantId }: Bearer): Promise<string> {
      const secret = randomBytes(sessionSecretBytes).toString('base64url');
      const member = memberOf(secret, { key, tenantId });
      await openInRedis(redis, callerKeys(key.name).frontDoorTokens, member, tokenLifetimeMs, maxTokens);
      return `${key.name}~defender~${tenantId}~${secret}`;
    },
    isToken: (text: string): boolean => form.test(text),
    /** `undefined` for a token that is over, or whose key is gone. */
    async find(token: string): Promise<Bearer | undefined> {
      const [, name = '', tenantId = '', secret = ''] = form.exec(token) ?? [];
      const set = callerKeys(name).frontDoorTokens;
      // There are two while a key is being replaced.
      for (const key of keys().filter((known) => known.name === name)) {
        const endsAtMs = Number(await redis.zscore(set, memberOf(secret, { key, tenantId })));
        if (endsAtMs > Date.now()) return { key, tenantId };
      }
      return undefined;
    },
  };
}

function memberOf(secret: string, { key, tenantId }: Bearer): string {
  return createHmac('sha256', key.sha256).update(`defender~${tenantId}~${secret}`).digest('base64url');
}
