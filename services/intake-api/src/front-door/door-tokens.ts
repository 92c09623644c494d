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
  const ofNobody = randomBytes(32);
  return {
    /** The API key that this secret is and that has this name; every key is compared, in constant time. */
    keyOf(name: string, secret: string): ApiKey | undefined {
      const found = createKeyRing(keys())(secret);
      return found?.name === name ? found : undefined;
    },
    async issue({ key, tenantId }: Bearer): Promise<string> {
      const secret = randomBytes(sessionSecretBytes).toString('base64url');
      const member = memberOf(secret, tenantId, key.sha256);
      await openInRedis(redis, callerKeys(key.name).frontDoorTokens, member, tokenLifetimeMs, maxTokens);
      return `${key.name}~defender~${tenantId}~${secret}`;
    },
    isToken: (text: string): boolean => form.test(text),
    /** `undefined` for a token that is over, or whose key is gone. */
    async find(token: string): Promise<Bearer | undefined> {
      const [, name = '', tenantId = '', secret = ''] = form.exec(token) ?? [];
      const set = callerKeys(name).frontDoorTokens;
      // There are two while a key is being replaced. Of a name that no key has as much is looked up: the time tells no names.
      const known = keys().filter((key) => key.name === name);
      const hashes = known.length > 0 ? known.map(({ sha256 }) => sha256) : [ofNobody];
      const members = hashes.map((sha256) => memberOf(secret, tenantId, sha256));
      const ends = await Promise.all(members.map((member) => redis.zscore(set, member)));
      const key = known[ends.findIndex((endsAtMs) => Number(endsAtMs) > Date.now())];
      return key && { key, tenantId };
    },
  };
}

function memberOf(secret: string, tenantId: string, sha256: Buffer): string {
  return createHmac('sha256', sha256).update(`defender~${tenantId}~${secret}`).digest('base64url');
}
