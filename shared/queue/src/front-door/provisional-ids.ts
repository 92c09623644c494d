import { createHash } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { repliesOf } from '../scheduling/job-queue.ts';
import { storeKeys } from '../store-keys.ts';

/** Numbers of Defender's are small, and beyond 2^53 JSON loses digits: these are the upper half of what it keeps. */
const firstNumber = 2 ** 52;
const numberBits = 48;
/** Two of a million requests that wait have the same number with a chance of one in 500: then another is taken. */
const mostTries = 5;
/** A request is kept for its retention from its end on, and may wait for long before. */
const longestWaitMs = 90 * 24 * 3_600_000;

export type ProvisionalIds = ReturnType<typeof createProvisionalIds>;

/**
 * Ids that stand for a request where a caller expects one of Defender's. That of a request is its own, which is a GUID; a
 * number is stored with the request that it leads to. Each goes by itself.
 */
export function createProvisionalIds(redis: RedisConnection, keySpace: string, retentionMs: number) {
  const keys = storeKeys(keySpace);
  const keepMs = longestWaitMs + retentionMs;

  /** Stores it where nothing is stored, and returns what is there then. */
  async function settle(key: string, requestId: string): Promise<string> {
    if ((await redis.set(key, requestId, 'PX', keepMs, 'NX')) !== null) return requestId;
    return (await redis.get(key)) ?? requestId;
  }

  const eldestOf = async (requestId: string) =>
    (await redis.get(keys.frontDoorRepeatOf(requestId))) ?? requestId;

  return {
    /** A number below 2^53, the same each time for the same request. */
    async numberOf(requestId: string): Promise<number> {
      for (let tries = 0; tries < mostTries; tries += 1) {
        const number = numberFor(requestId, tries);
        if ((await settle(keys.frontDoorNumber(String(number)), requestId)) === requestId) return number;
      }
      throw new Error('no number was free');
    },
    /** The request that a number stands for. */
    async requestOf(number: number): Promise<string | undefined> {
      return (await redis.get(keys.frontDoorNumber(String(number)))) ?? undefined;
    },
    /** The caller's request that has shared a call with this request of another caller for the longest; this one, if it is the first. */
    async firstOf(caller: string, sharedWith: string, requestId: string): Promise<string> {
      return settle(keys.frontDoorFirst(sharedWith, digestOf(caller)), requestId);
    },
    /** From now on this one, where the first has ended. */
    async replaceFirst(caller: string, sharedWith: string, requestId: string): Promise<void> {
      await redis.set(keys.frontDoorFirst(sharedWith, digestOf(caller)), requestId, 'PX', keepMs);
    },
    /** This request is a repeat whose caller was given the id of an earlier one, and does not know its own. */
    async noteRepeat(shownId: string, requestId: string): Promise<void> {
      const eldest = await eldestOf(shownId);
      const repeats = keys.frontDoorRepeats(eldest);
      const pipeline = plainPipeline(redis);
      pipeline.set(keys.frontDoorRepeatOf(requestId), eldest, 'PX', keepMs);
      pipeline.sadd(repeats, requestId);
      pipeline.pexpire(repeats, keepMs);
      await repliesOf(pipeline);
    },
    /** The requests that their caller knows by this id alone, or knew by that of an earlier one that has ended. */
    async repeatsOf(shownId: string): Promise<string[]> {
      return redis.smembers(keys.frontDoorRepeats(await eldestOf(shownId)));
    },
  };
}

/** Whether it may be one of these. */
export function isProvisionalNumber(number: number): boolean {
  return Number.isSafeInteger(number) && number >= firstNumber;
}

function numberFor(requestId: string, tries: number): number {
  const digest = createHash('sha256').update(`${requestId} ${tries}`).digest();
  return firstNumber + digest.readUIntBE(0, numberBits / 8);
}

function digestOf(caller: string): string {
  return createHash('sha256').update(caller).digest('base64url').slice(0, 22);
}
