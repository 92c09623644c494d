import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';

/** What became of a key. */
export type IdempotencyState =
  | {
      /** The attempt is to carry out the request. Its right to do so ends by itself unless it is renewed. */
      kind: 'claimed';
      /** Of the first attempt: a repeat records the same, under ids derived from them. */
      seed: string;
      atMs: number;
      /** An earlier attempt broke off, and what it recorded is to be completed. */
      isRepeat: boolean;
    }
  | { kind: 'answered'; answer: Buffer }
  /** The key was used for another request. */
  | { kind: 'reused' }
  | { kind: 'in-flight' };

/** One attempt at carrying out the request of one key. */
export interface IdempotentAttempt {
  /** Takes the key if it is free. Where it rejects, the key may have been taken: `release` it. */
  claim(digest: string, nowMs: number): Promise<IdempotencyState>;
  renew(): Promise<void>;
  /** The request is carried out: from now on its answer is given again. */
  store(answer: Buffer): Promise<void>;
  /** The attempt broke off: the next one may begin, with the same seed. */
  release(): Promise<void>;
  /** Nothing was recorded: the key is free for any request. */
  forget(): Promise<void>;
}

export interface IdempotencyTimes {
  /** After so long without renewal an attempt is taken for dead. */
  leaseMs: number;
  /** For how long an answer is given again. */
  keepMs: number;
}

const scriptFile = (name: string) => new URL(`../lua/${name}.lua`, import.meta.url);
const claimScript = loadScript(scriptFile('claim-idempotency'));
const endScript = loadScript(scriptFile('end-idempotency'), { whenFull: true });

/** Without its answer: what Redis needs for the record, roughly. */
const recordBytes = 500;

const claimReply = z.union([
  z.tuple([z.literal('claimed'), z.string(), z.string(), z.number()]),
  z.tuple([z.literal('in-flight'), z.number()]),
  z.tuple([z.enum(['answered', 'reused'])]),
]);

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;

/** What callers sent with an Idempotency-Key and what they were answered. See `lua/claim-idempotency.lua`. */
export function createIdempotencyStore(redis: RedisConnection, keySpace: string, times: IdempotencyTimes) {
  const { leaseMs, keepMs } = times;
  const keys = storeKeys(keySpace);

  return {
    times,
    /** `name` is a digest of the key and of what it is limited to; its record counts among what is stored of `caller`. */
    attempt(name: string, caller: string = ''): IdempotentAttempt {
      const key = keys.idempotency(name);
      const bothKeys = [key, keys.stored];
      const attempt = randomUUID();
      const end = async (verb: string, keptMs: number | '' = '', answer: Buffer | '' = '') => {
        await endScript(redis, bothKeys, [attempt, verb, keptMs, answer, caller]);
      };
      async function claim(digest: string, nowMs: number): Promise<IdempotencyState> {
        const args = [digest, attempt, leaseMs, keepMs, randomUUID(), nowMs, caller, recordBytes];
        const [kind, seed, at, repeated] = claimReply.parse(await claimScript(redis, bothKeys, args));
        if (kind === 'claimed') return { kind, seed, atMs: Number(at), isRepeat: repeated === 1 };
        if (kind !== 'answered') return { kind };
        const answer = await redis.hgetBuffer(key, 'answer');
        // It expired just now: as if the key were new.
        return answer ? { kind, answer } : await claim(digest, nowMs);
      }
      return {
        claim,
        renew: () => end('renew', leaseMs),
        store: (answer) => end('answer', keepMs, answer),
        release: () => end('release'),
        forget: () => end('forget'),
      };
    },
  };
}
